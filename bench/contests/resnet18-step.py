"""A whole training step of ResNet-18, batch 32: dense in PyTorch, and with learned thresholds, ours and eager."""

import torch
from contest import SEED, arguments, contest, furthest, ops, tell
from torch import nn

import nets

given = arguments()
BATCH, SIZE, WIDTHS = (4, 8, (4, 8, 8, 8)) if given.tiny else (32, 32, (64, 128, 256, 512))
RATE, MOMENTUM, COST = 0.01, 0.9, 1e-7


def resnet18():
    torch.manual_seed(SEED)
    return nets.resnet18(WIDTHS)


images, labels = torch.rand(BATCH, 3, SIZE, SIZE), torch.arange(BATCH) % 10


def backward(model, bfloat16, parameters=None):
    with torch.autocast(given.device, torch.bfloat16, enabled=bfloat16):
        logits = model(images) if parameters is None else torch.func.functional_call(model, parameters, (images,))
    loss = nn.functional.cross_entropy(logits.float(), labels)
    loss.backward()
    return loss.detach()


class Dense:
    def __init__(self, bfloat16):
        self.bfloat16, self.model = bfloat16, resnet18()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)

    def step(self):
        self.optimizer.zero_grad()
        backward(self.model, self.bfloat16)
        self.optimizer.step()


class Ltp:
    """What both forms of learned thresholds have: prunable weights apart from the rest, a threshold each."""

    def __init__(self, bfloat16):
        self.bfloat16, self.model = bfloat16, resnet18()
        named = dict(self.model.named_parameters())
        self.names = [name for name, p in named.items() if p.dim() > 1]
        self.prunable = [named[name] for name in self.names]
        self.rest = [p for p in named.values() if p.dim() == 1]
        self.masters = [p.detach().clone() for p in self.prunable]
        self.temperatures = torch.stack([0.01 * w.abs().double().var() for w in self.masters])
        self.thresholds = torch.stack([0.1 * w.double().square().mean() for w in self.masters])


class Ours(Ltp):
    def __init__(self, bfloat16):
        super().__init__(bfloat16)
        self.previous, self.rates = self.thresholds.clone(), torch.ones_like(self.thresholds)
        self.momenta = [torch.zeros_like(w) for w in self.masters]
        self.optimizer = torch.optim.SGD(self.rest, lr=RATE, momentum=MOMENTUM, fused=True)
        self.gate()

    def gate(self):
        with torch.no_grad():
            ops.ltp_gate_(self.masters, [], self.thresholds, self.previous, self.temperatures, [1.0] * len(self.masters), self.prunable, counting=False)

    def step(self):
        self.model.zero_grad()
        backward(self.model, self.bfloat16)
        ops.ltp_step_(self.masters, [p.grad for p in self.prunable], self.momenta, [], self.thresholds, self.previous,
                      self.temperatures, self.rates, cost=COST, learning_rate=RATE, momentum=MOMENTUM)  # fmt: skip
        self.optimizer.step()
        self.gate()


class Eager(Ltp):
    """The gate by autograd; thresholds by the plain rule, the cheaper one to write."""

    def __init__(self, bfloat16):
        super().__init__(bfloat16)
        self.masters = [w.requires_grad_() for w in self.masters]
        self.taus = [t.float().requires_grad_() for t in self.thresholds]
        self.optimizer = torch.optim.SGD([*self.masters, *self.rest], lr=RATE, momentum=MOMENTUM, fused=True)

    def step(self):
        self.optimizer.zero_grad()
        effective, counts = {}, 0
        for name, w, tau, temperature in zip(self.names, self.masters, self.taus, self.temperatures):
            open_ = torch.sigmoid((w.detach().square() - tau) / temperature.float())
            effective[name] = w * open_
            counts = counts + open_.sum()
        (COST * counts).backward(retain_graph=True)
        backward(self.model, self.bfloat16, effective)
        with torch.no_grad():
            for tau, temperature in zip(self.taus, self.temperatures):
                tau.sub_(temperature.float().square() * tau.grad.sign()).clamp_min_(0)
                tau.grad = None
        self.optimizer.step()


def first_step_agrees():
    """Of the weights that both see after a step whose gates stand open: ours against the dense step."""
    dense, ours = Dense(False), Ours(False)
    ours.thresholds.fill_(-1)  # no gate closes
    ours.gate()
    dense.step()
    ours.rates.zero_()
    ours.step()
    return furthest(ours.masters, [p.detach() for p in dense.model.parameters() if p.dim() > 1])


difference = first_step_agrees()
sides = {"dense": Dense(False), "ours": Ours(False), "eager": Eager(False), "dense bf16": Dense(True), "ours bf16": Ours(True)}
times, grown = contest({name: side.step for name, side in sides.items()}, given.rounds or (2 if given.tiny else 7))
tell(times, grown, difference, 1e-3, sum(w.numel() for w in sides["ours"].masters))
