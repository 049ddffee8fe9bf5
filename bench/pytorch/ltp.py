"""Steps of a ResNet-18: dense, or with learned thresholds (Azarian et al. 2020), the gates by autograd.

arguments: BATCH STEPS dense|ltp
"""

import torch
from common import ARGUMENTS, SEED, tell, timed_steps
from torch.func import functional_call
from torch.nn.functional import cross_entropy

import nets
from digits import Samples

BATCH, STEPS, form = int(ARGUMENTS[0]), int(ARGUMENTS[1]), ARGUMENTS[2]
SELECT = 8
# A larger rate, and rounding alone drives two trainings of this network apart.
RATE, MOMENTUM, COST, TEMPERATURE, THRESHOLD_RATE = 0.0003, 0.9, 1e-7, 0.01, 1e-6
source = Samples("mnist", (STEPS + 1) * BATCH, SELECT)


class Dense:
    def __init__(self):
        torch.manual_seed(SEED)
        self.net = nets.resnet18().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)

    def step(self, inputs, labels):
        self.optimizer.zero_grad()
        loss = cross_entropy(self.net(inputs), labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class Ltp(Dense):
    def __init__(self):
        super().__init__()
        named = dict(self.net.named_parameters())
        self.gated = {name: p for name, p in named.items() if p.dim() > 1}
        self.temperatures = [TEMPERATURE * p.detach().abs().var() for p in self.gated.values()]
        self.thresholds = [torch.zeros((), requires_grad=True) for _ in self.gated]

    def effective(self):
        weights, cost = {}, 0
        for (name, w), tau, temperature in zip(self.gated.items(), self.thresholds, self.temperatures):
            # The gate is a constant for the weight, not for the threshold (eq. 14).
            gate = torch.sigmoid((w.detach().square() - tau) / temperature)
            weights[name] = w * gate
            cost = cost + gate.sum()
        return weights, COST * cost

    def step(self, inputs, labels):
        self.optimizer.zero_grad()
        weights, cost = self.effective()
        loss = cross_entropy(functional_call(self.net, weights, (inputs,)), labels)
        (loss + cost).backward()
        self.optimizer.step()
        with torch.no_grad():
            for tau in self.thresholds:
                tau.sub_(THRESHOLD_RATE * tau.grad).clamp_min_(0)
                tau.grad = None
        return loss.detach()


make = Dense if form == "dense" else Ltp
make().step(source.images[:BATCH].float() / 255, source.labels[:BATCH])
ms, loss = timed_steps(make, source, BATCH, STEPS, "train", 1, "prune", 0, 0)
tell(ms, loss, source.all)
