"""Masked SGD, Adam and AdamW against torch.optim."""

import functools

import torch
from common import EFFECTIVE_TYPES, SIZES, Case, copies, doubles, main, masks_of, normal, ops, zeros

STEPS = 100
SGD = [
    {"momentum": momentum, "weight_decay": decay, "nesterov": nesterov}
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True))
    for decay in (0.0, 1e-3)
]
ADAM = [
    {"decoupled": decoupled, "weight_decay": decay, "beta1": beta1, "beta2": beta2, "epsilon": 1e-8}
    for decoupled in (False, True)
    for decay in (0.0, 1e-2)
    for beta1, beta2 in ((0.9, 0.999), (0.5, 0.9))
]
KEPT_HALF, TRUE, NONE = "half", "true", "none"


def bad(tensors, masks):
    """NaN and infinities wherever the mask is false."""
    out = copies(tensors)
    for t, m in zip(out, masks):
        odd = torch.arange(t.numel()) % 3
        for k, value in enumerate((torch.nan, torch.inf, -torch.inf)):
            t[~m & (odd == k)] = value
    return out


class Ours:
    """One of our optimisers with its state over a list of tensors."""

    def __init__(self, name, weights, rate, options, masks=(), average_decay=None, effective=None):
        self.name, self.rate, self.options, self.masks = name, rate, options, list(masks)
        self.weights = copies(weights)
        self.average_decay = average_decay
        self.averages = [] if average_decay is None else copies(weights)
        self.effective = [] if effective is None else [torch.full_like(w, torch.nan, dtype=effective) for w in weights]
        adam = name == "adam"
        count = 2 if adam else int(options["momentum"] != 0)
        self.moments = [zeros(weights) for _ in range(count)]
        self.steps = [torch.zeros(()) for _ in weights]

    def step(self, gradients, skip=None):
        copies_of = {"average_decay": self.average_decay or 0.0, "skip": skip, "learning_rate": self.rate}
        if self.name == "adam":
            ops.masked_adam_(self.weights, gradients, *self.moments, self.steps, self.masks, self.averages,
                             self.effective, **copies_of, **self.options)  # fmt: skip
        else:
            ops.masked_sgd_(self.weights, gradients, self.moments[0] if self.moments else [], self.masks,
                            self.averages, self.effective, **copies_of, **self.options)  # fmt: skip

    def state(self):
        return [self.weights, *self.moments, self.steps, self.averages, self.effective]


class Theirs:
    """torch.optim; masks are applied after each step, to weights and moments."""

    def __init__(self, name, weights, rate, options, masks=None):
        self.parameters = [torch.nn.Parameter(w.clone()) for w in weights]
        self.masks = masks
        if name == "sgd":
            self.optimizer = torch.optim.SGD(self.parameters, lr=rate, **options)
        else:
            kind = torch.optim.AdamW if options["decoupled"] else torch.optim.Adam
            betas = (options["beta1"], options["beta2"])
            self.optimizer = kind(self.parameters, lr=rate, betas=betas, eps=options["epsilon"],
                                  weight_decay=options["weight_decay"])  # fmt: skip

    def step(self, gradients):
        for p, g in zip(self.parameters, gradients):
            p.grad = g
        self.optimizer.step()
        if self.masks is None:
            return
        with torch.no_grad():
            for p, m in zip(self.parameters, self.masks):
                for t in (p, *(v for v in self.optimizer.state[p].values() if torch.is_tensor(v) and v.shape == p.shape)):
                    t.mul_(m)

    def moments(self):
        states = [self.optimizer.state[p] for p in self.parameters]
        names = [n for n in ("momentum_buffer", "exp_avg", "exp_avg_sq") if states[-1].get(n) is not None]
        return [[s[n] for s in states] for n in names]


def variants():
    for options in SGD:
        yield "sgd", 0.05, options
    for options in ADAM:
        yield "adam", 0.01, options


@functools.cache
def gradients_of(step, dtype):
    return [g.to(dtype) for g in normal(100 + step)]


class AgainstTorch(Case):
    def race(self, name, rate, options, masking, dtype, tolerance):
        weights = normal(1)
        half = masks_of(2, weights)
        masks = {KEPT_HALF: half, TRUE: [torch.ones_like(m) for m in half], NONE: [None] * len(half)}[masking]
        if masking == KEPT_HALF:
            weights = [w * m for w, m in zip(weights, half)]
        ours = Ours(name, [w.to(dtype) for w in weights], rate, options, masks)
        # In float64: torch's own float32 drifts further, AdamW's by its rounded factor 1 - rate * decay.
        theirs = Theirs(name, doubles(weights), rate, options, half if masking == KEPT_HALF else None)
        for step in range(STEPS):
            gradients = gradients_of(step, dtype)
            exact = gradients_of(step, torch.float64)
            theirs.step([g * m for g, m in zip(exact, half)] if masking == KEPT_HALF else exact)
            ours.step(bad(gradients, half) if masking == KEPT_HALF else gradients)
        for found, expected in zip([ours.weights, *ours.moments], [theirs.parameters, *theirs.moments()], strict=True):
            # Of the largest value of all: a single moment may cross zero.
            scale = max(float(e.detach().abs().max()) for e in expected if e.numel())
            for f, e in zip(found, expected):
                self.assert_within(f, e.detach(), tolerance * scale, f"{f.numel()} elements")

    def test_100_steps(self):
        for name, rate, options in variants():
            for masking in (NONE, TRUE, KEPT_HALF):
                for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
                    with self.subTest(name=name, masking=masking, dtype=dtype, **options):
                        self.race(name, rate, options, masking, dtype, tolerance)


class Masked(Case):
    def test_pruned_is_exactly_zero_everywhere_whatever_the_gradient(self):
        for name, rate, options in variants():
            for effective in EFFECTIVE_TYPES:
                weights = normal(3)
                masks = masks_of(4, weights)
                ours = Ours(name, weights, rate, options, masks, 0.99, effective)
                for moment in ours.moments:  # left from before the mask
                    for m in moment:
                        m.fill_(0.5)
                for step in range(5):
                    ours.step(bad(normal(step, dtype=effective), masks))
                for tensors in (ours.weights, *ours.moments, ours.averages, ours.effective):
                    for t, m in zip(tensors, masks):
                        self.assert_zero(t, ~m, f"{name} {options}")
                        self.assertTrue(bool(t.isfinite().all()), f"{name} {options}")

    def test_some_tensors_without_a_mask(self):
        for name, rate, options in variants():
            weights, gradients = normal(5), normal(6)
            masks = [m if i % 2 else None for i, m in enumerate(masks_of(7, weights))]
            mixed, plain = Ours(name, weights, rate, options, masks), Ours(name, weights, rate, options)
            mixed.step(gradients)
            plain.step(gradients)
            for w, p, m in zip(mixed.weights, plain.weights, masks):
                self.assert_same(w, p if m is None else torch.where(m, p, 0.0))


class Copies(Case):
    def test_effective_is_the_rounded_weight(self):
        for name, rate, options in variants():
            for dtype in EFFECTIVE_TYPES:
                weights, gradients = normal(8), normal(9, dtype=dtype)
                narrow = Ours(name, weights, rate, options, effective=dtype)
                wide = Ours(name, weights, rate, options)
                narrow.step(gradients)
                wide.step([g.float() for g in gradients])
                for n, w, e in zip(narrow.weights, wide.weights, narrow.effective):
                    self.assert_same(n, w)
                    self.assert_same(e, w.to(dtype))

    def test_averages_are_exponential_means(self):
        for name, rate, options in variants():
            for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
                weights = normal(10, dtype=dtype)
                ours = Ours(name, weights, rate, options, average_decay=0.9)
                expected = [w.double() for w in weights]
                for step in range(10):
                    ours.step(normal(step, dtype=dtype))
                    expected = [0.9 * e + 0.1 * w.double() for e, w in zip(expected, ours.weights)]
                for a, e in zip(ours.averages, expected):
                    self.assert_within(a, e, tolerance * (float(e.abs().max()) if e.numel() else 0))


class Skip(Case):
    def test_a_raised_flag_leaves_everything(self):
        for name, rate, options in variants():
            weights = normal(11)
            ours = Ours(name, weights, rate, options, masks_of(12, weights), 0.9, torch.float32)
            ours.step(normal(13))
            before = [copies(tensors) for tensors in ours.state()]
            ours.step([torch.full_like(w, torch.nan) for w in weights], skip=torch.ones(1))
            for kept, now in zip(before, ours.state()):
                for k, n in zip(kept, now):
                    self.assert_same(n, k, name)
            ours.step(normal(14), skip=torch.zeros(()))
            self.assertFalse(torch.equal(ours.weights[-1], before[0][-1]))

    def test_steps_count_only_what_was_done(self):
        ours = Ours("adam", normal(15), 0.01, ADAM[0])
        for raised in (0.0, 1.0, 0.0, 1.0, 1.0, 0.0):
            ours.step(normal(16), skip=torch.tensor([raised]))
        self.assertEqual([float(s) for s in ours.steps], [3.0] * len(SIZES))


if __name__ == "__main__":
    main()
