"""What masked-sgd and masked-adam share: torch's fused optimiser, with and without a foreach multiplication, and ours."""

import torch
from contest import RESNET18, TINY, contest, furthest, ops, tell, weights_of


def race(given, optimizer, ours, bytes_a_weight):
    """`optimizer` makes torch's of parameters; `ours` a step function of weights, gradients and masks."""
    start = weights_of(TINY if given.tiny else RESNET18)
    masks = [torch.rand(w.shape) < 0.1 for w in start]
    start = [w * m for w, m in zip(start, masks)]
    gradients = [torch.randn_like(w) * 1e-3 for w in start]
    count = sum(w.numel() for w in start)

    def theirs():
        parameters = [w.clone().requires_grad_() for w in start]
        for p, g in zip(parameters, gradients):
            p.grad = g.clone()
        return parameters, optimizer(parameters)

    masked, step_masked = theirs()
    _, step_plain = theirs()
    factors = [m.float() for m in masks]
    mine = [w.clone() for w in start]

    def multiply():
        step_masked.step()
        with torch.no_grad():
            torch._foreach_mul_(masked, factors)

    sides = {"ours": ours(mine, gradients, masks), "fused + foreach mask": multiply, "fused, no mask": step_plain.step}
    times, grown = contest(sides, given.rounds or (3 if given.tiny else 50))
    difference = furthest(mine, [p.detach() for p in masked])
    # A byte of mask is read besides what the optimiser moves.
    tell(times, grown, difference, 1e-4, count, {"ours": (bytes_a_weight + 1) * count, "fused, no mask": bytes_a_weight * count})


def zeros(tensors):
    return [torch.zeros_like(t) for t in tensors]


def sgd(weights, gradients, masks):
    momenta = zeros(weights)
    return lambda: ops.masked_sgd_(weights, gradients, momenta, masks, [], [], learning_rate=0.01, momentum=0.9)


def adam(weights, gradients, masks):
    first, second, steps = zeros(weights), zeros(weights), [torch.zeros(()) for _ in weights]
    return lambda: ops.masked_adam_(weights, gradients, first, second, steps, masks, [], [], learning_rate=1e-3)
