"""What masked-sgd and masked-adam share: torch's fused optimiser, with and without a foreach multiplication, and ours."""

import torch
from contest import contest, furthest, ops, shapes_of, tell, weights_of


def race(given, optimizer, ours, bytes_a_weight):
    """`optimizer` makes torch's of parameters; `ours` a step function of weights, gradients and masks."""
    start = weights_of(shapes_of(given))
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
    chosen, step_chosen = theirs()
    original, step_original = theirs()
    _, step_plain = theirs()
    factors = [m.float() for m in masks]
    mine = [w.clone() for w in start]

    def multiply():
        step_masked.step()
        with torch.no_grad():
            torch._foreach_mul_(masked, factors)

    def multiply_bool():
        step_chosen.step()
        with torch.no_grad():
            torch._foreach_mul_(chosen, masks)

    def prune_style():
        """torch.nn.utils.prune: the product in the forward, so that its gradient is masked too."""
        step_original.zero_grad()
        torch.autograd.backward([w * m for w, m in zip(original, factors)], gradients)
        step_original.step()

    copied = torch.empty(count)
    flat = torch.randn(count)
    sides = {
        "ours": ours(mine, gradients, masks),
        "fused + foreach mask": multiply,
        "fused + bool masks": multiply_bool,
        "prune style": prune_style,
        "fused, no mask": step_plain.step,
        "copy": lambda: copied.copy_(flat),
    }
    times, grown = contest(sides, given.rounds or (3 if given.tiny else 15 if given.millions else 50))
    others = (masked, chosen, [p * m for p, m in zip(original, factors)])
    difference = max(furthest(mine, [p.detach() for p in other]) for other in others)
    # A byte of mask is read besides what the optimiser moves.
    tell(times, grown, difference, 1e-4, count, {"ours": (bytes_a_weight + 1) * count, "fused, no mask": bytes_a_weight * count, "copy": 8 * count})


def zeros(tensors):
    return [torch.zeros_like(t) for t in tensors]


def sgd(weights, gradients, masks):
    momenta = zeros(weights)
    return lambda: ops.masked_sgd_(weights, gradients, momenta, masks, [], [], learning_rate=0.01, momentum=0.9)


def adam(weights, gradients, masks):
    first, second, steps = zeros(weights), zeros(weights), [torch.zeros(()) for _ in weights]
    return lambda: ops.masked_adam_(weights, gradients, first, second, steps, masks, [], [], learning_rate=1e-3)
