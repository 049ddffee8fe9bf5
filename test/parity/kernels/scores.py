"""Score masks against their formulas: effective weight, straight-through gradient, Adam on the scores."""

import torch
from common import EFFECTIVE_TYPES, Case, copies, generator, main, normal, ops, zeros


class Apply(Case):
    def test_effective_weight_and_count(self):
        cut = 0.25
        for master, types in ((torch.float32, EFFECTIVE_TYPES), (torch.float64, (torch.float64,))):
            weights, scores = normal(1, dtype=master), normal(2, dtype=master)
            for s in scores:
                s[::5] = cut  # a score equal to the cut is not above it
                s[1::7] = torch.nan
            for dtype in types:
                effective = [torch.full_like(w, torch.nan, dtype=dtype) for w in weights]
                kept = ops.score_apply_(weights, scores, effective, cut=cut)
                self.assertEqual(kept[:, 0].tolist(), [float((s > cut).sum()) for s in scores])
                for w, s, e in zip(weights, scores, effective):
                    self.assert_same(e, torch.where(s > cut, w, 0.0).to(dtype))

    def test_an_infinite_weight_that_is_cut_gives_zero(self):
        effective = [torch.ones(4)]
        ops.score_apply_([torch.tensor([torch.inf, torch.nan, 1.0, 2.0])], [torch.tensor([-1.0, -1.0, -1.0, 1.0])], effective, cut=0.0)
        self.assertEqual(effective[0].tolist(), [0.0, 0.0, 0.0, 2.0])

    def test_rounding_to_half_types_at_its_edges(self):
        # Ties to even, overflow, denormals, infinities and NaN, as torch rounds them.
        edges = torch.tensor([1 + 2**-9, 1 + 3 * 2**-9, 65504.0, 65519.9, 65520.0, 3.39e38, 1e-8, 6e-8, 5.96e-8, 1e-40, -0.0,
                              torch.inf, -torch.inf, torch.nan, 1.0, -1.0, 2.0**-24, 2.0**-25, 2.0**-25 * 1.0001])  # fmt: skip
        for dtype in EFFECTIVE_TYPES:
            effective = [torch.zeros_like(edges, dtype=dtype)]
            ops.score_apply_([edges], [torch.ones_like(edges)], effective, cut=0.0)
            expected = edges.to(dtype)
            self.assertTrue(torch.equal(effective[0].isnan(), expected.isnan()), dtype)
            self.assert_same(effective[0].nan_to_num(7.0, torch.inf, -torch.inf), expected.nan_to_num(7.0, torch.inf, -torch.inf))


class Adam(Case):
    def race(self, master, gradient_type, tolerance):
        weights, start = normal(3, dtype=master), normal(4, dtype=master)
        scores, first, second = copies(start), zeros(start), zeros(start)
        steps = [torch.zeros(()) for _ in start]
        parameters = [torch.nn.Parameter(s.double()) for s in start]
        optimizer = torch.optim.Adam(parameters, lr=0.02, betas=(0.8, 0.95), eps=1e-6)
        before = copies(weights)
        for step in range(100):
            gradients = normal(100 + step, dtype=gradient_type)
            for p, g, w in zip(parameters, gradients, weights):
                p.grad = g.double() * w.double()
            optimizer.step()
            ops.score_adam_(scores, weights, gradients, first, second, steps, learning_rate=0.02, beta1=0.8, beta2=0.95, epsilon=1e-6)
        for s, p, w, b in zip(scores, parameters, weights, before):
            p = p.detach()
            self.assert_within(s, p, tolerance * (float(p.abs().max()) if p.numel() else 0))
            self.assert_same(w, b, "the weight is only read")

    def test_100_steps_against_torch(self):
        for gradient_type in EFFECTIVE_TYPES:
            self.race(torch.float32, gradient_type, 1e-6)
        self.race(torch.float64, torch.float64, 1e-12)

    def test_skip(self):
        weights = normal(5)
        scores, first, second, steps = normal(6), zeros(weights), zeros(weights), [torch.zeros(1) for _ in weights]
        before = copies(scores)
        for raised in (1.0, 0.0):
            ops.score_adam_(scores, weights, normal(7), first, second, steps, learning_rate=0.1, skip=torch.tensor([raised]))
            self.assertEqual(torch.equal(scores[-1], before[-1]), raised == 1.0)
            self.assertEqual([float(s) for s in steps], [1 - raised] * len(steps))


class Differentiable(Case):
    def test_gradients(self):
        random = generator(8)
        weight = torch.randn(37, generator=random, dtype=torch.float64, requires_grad=True)
        score = torch.randn(37, generator=random, dtype=torch.float64)
        score[3] = 0.1
        self.assertTrue(torch.autograd.gradcheck(lambda w: ops.score_effective_weight(w, score, 0.1), (weight,)))
        score.requires_grad_()
        upstream = torch.randn(37, generator=random, dtype=torch.float64)
        ops.score_effective_weight(weight, score, 0.1).backward(upstream)
        # Straight through the step: also of a score that is cut.
        self.assert_same(score.grad, upstream * weight.detach())
        self.assert_same(weight.grad, upstream * (score.detach() > 0.1))

    def test_is_the_fused_one(self):
        weight, score = normal(9, (1000,), torch.float64)[0], normal(10, (1000,), torch.float64)[0]
        effective = [torch.empty_like(weight)]
        ops.score_apply_([weight], [score], effective, cut=-0.3)
        self.assert_same(effective[0], ops.score_effective_weight(weight, score, -0.3))


if __name__ == "__main__":
    main()
