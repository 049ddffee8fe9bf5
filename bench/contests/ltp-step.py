"""One prune step of learned thresholds: gradients of effective weights in, new weights, thresholds and effective weights out."""

import time

import torch
from contest import arguments, contest, furthest, ops, shapes_of, tell, weights_of

# Gates that are all but shut are full of numbers that are not normal, which some processors are slow with: our kernels
# count them as zero, and so may the others.
torch.set_flush_denormal(True)
given = arguments()
RATE, MOMENTUM, COST, THRESHOLD_RATE = 0.01, 0.9, 1e-7, 1.0
start = weights_of(shapes_of(given))
gradients = [torch.randn_like(w) * 1e-3 for w in start]
temperatures = torch.stack([0.01 * w.abs().double().var() for w in start])
first = torch.stack([0.3 * w.double().square().mean() for w in start])
count = sum(w.numel() for w in start)


class Ours:
    def __init__(self):
        self.weights = [w.clone() for w in start]
        self.effective, self.momenta = ([torch.zeros_like(w) for w in start] for _ in range(2))
        self.thresholds, self.previous = first.clone(), first.clone()
        self.rates, self.least = torch.full_like(first, THRESHOLD_RATE), [1.0] * len(start)

    def step(self):
        ops.ltp_step_(self.weights, gradients, self.momenta, [], self.thresholds, self.previous, temperatures, self.rates,
                      cost=COST, learning_rate=RATE, momentum=MOMENTUM)  # fmt: skip
        ops.ltp_gate_(self.weights, [], self.thresholds, self.previous, temperatures, self.least, self.effective, counting=False)


def gate(w, threshold, temperature):
    # The gate is a constant for the weight, not for the threshold (eq. 14).
    open_ = torch.sigmoid((w.detach().square() - threshold) / temperature)
    return w * open_, open_.sum()


class Autograd:
    """As it is written in PyTorch: the gate by autograd, the fused optimiser, the threshold by its gradient.

    The plain rule's gradient is normalised by the sum of absolute terms, which needs the gate's slope once more.
    """

    def __init__(self, gate):
        self.gate = gate
        self.weights = [w.clone().requires_grad_() for w in start]
        self.thresholds = [t.float().requires_grad_() for t in first]
        self.temperatures = [t.float() for t in temperatures]
        self.optimizer = torch.optim.SGD(self.weights, lr=RATE, momentum=MOMENTUM, fused=True)
        self.forward()

    def forward(self):
        self.gated = [self.gate(*each) for each in zip(self.weights, self.thresholds, self.temperatures)]

    def step(self):
        effective, counts = zip(*self.gated)
        torch.autograd.backward([*effective, *counts], [*gradients, *[torch.tensor(COST)] * len(counts)])
        with torch.no_grad():
            for w, g, tau, temperature in zip(self.weights, gradients, self.thresholds, self.temperatures):
                open_ = torch.sigmoid((w.square() - tau) / temperature)
                slope = open_ * (1 - open_)
                scale = (slope * (g * w).abs()).sum() + COST * slope.sum() + 1e-30
                tau.sub_(THRESHOLD_RATE * temperature * tau.grad * temperature / scale).clamp_min_(0)
                tau.grad = None
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.forward()


def formula(weights, gradients, momenta, thresholds, temperatures):
    """The same by its formulas, for the compiler to fuse."""
    effective = []
    for w, g, b, tau, temperature in zip(weights, gradients, momenta, thresholds, temperatures):
        open_ = torch.sigmoid((w.square() - tau) / temperature)
        slope = open_ * (1 - open_)
        s0, s1, s2 = slope.sum(), (slope * g * w).sum(), (slope * (g * w).abs()).sum()
        b.mul_(MOMENTUM).add_(g * open_)
        w.sub_(RATE * b)
        tau.add_(THRESHOLD_RATE * temperature * (s1 + COST * s0) / (s2 + COST * s0 + 1e-30)).clamp_min_(0)
        effective.append(w * torch.sigmoid((w.square() - tau) / temperature))
    return effective


class Formula:
    def __init__(self, formula):
        self.formula = formula
        self.weights = [w.clone() for w in start]
        self.momenta = [torch.zeros_like(w) for w in start]
        self.thresholds, self.temperatures = [t.float() for t in first], [t.float() for t in temperatures]

    def step(self):
        with torch.no_grad():
            self.formula(self.weights, gradients, self.momenta, self.thresholds, self.temperatures)


ours = Ours()
rivals = {"eager": Autograd(gate)}
left_out, compiling = {}, {}
for name, make in (
    ("compiled", lambda: Autograd(torch.compile(gate, dynamic=True))),
    ("compiled formula", lambda: Formula(torch.compile(formula))),
):
    if given.tiny:
        left_out[name] = "a tiny run compiles nothing"
        continue
    try:
        since = time.perf_counter()
        rival = make()
        rival.step()
        compiling[name] = time.perf_counter() - since
        rivals[name] = rival
    except Exception as error:  # no compiler, or one that this torch cannot use
        left_out[name] = str(error).splitlines()[0]
for name, rival in list(rivals.items()):  # what was stepped to compile begins again
    rivals[name] = type(rival)(rival.gate if isinstance(rival, Autograd) else rival.formula)

plain = [w.clone().requires_grad_() for w in start]
for p, g in zip(plain, gradients):
    p.grad = g
sgd = torch.optim.SGD(plain, lr=RATE, momentum=MOMENTUM, fused=True)
source, target = torch.randn(count), torch.empty(count)

sides = {"ours": ours.step, **{name: rival.step for name, rival in rivals.items()}, "fused SGD, no gate": sgd.step, "copy": lambda: target.copy_(source)}
times, grown = contest(sides, given.rounds or (3 if given.tiny else 30))
difference = max(furthest([*ours.weights, *ours.thresholds], [t.detach() for t in (*r.weights, *r.thresholds)]) for r in rivals.values())
# Weight, gradient and momentum read, weight and momentum written; then the weight read, the effective one written.
tell(times, grown, difference, 1e-3, count, {"ours": 28 * count, "fused SGD, no gate": 20 * count, "copy": 8 * count}, left_out, compiling)
