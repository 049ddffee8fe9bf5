"""ADMM's operators against their formulas, and the ones that autograd knows."""

import torch
from common import EFFECTIVE_TYPES, EPSILON, Case, copies, generator, main, masks_of, normal, ops

TYPES = ((torch.float32, 2e-6), (torch.float64, 1e-13))


def parts(seed, dtype):
    weights, sparse, duals = (normal(seed + i, dtype=dtype) for i in range(3))
    masks = [m if i % 2 else None for i, m in enumerate(masks_of(seed + 3, weights))]
    return weights, sparse, duals, masks


def held(x, mask):
    return x if mask is None else torch.where(mask, x, 0.0)


def largest(tensors, masks, kept):
    """Masks of the `kept` largest magnitudes over all tensors, of equal ones the last, a masked one as zero."""
    flat = torch.cat([held(t, m).abs().flatten() for t, m in zip(tensors, masks)])
    order = torch.argsort(flat, stable=True)
    out = torch.zeros_like(flat, dtype=torch.bool)
    out[order[flat.numel() - kept :]] = True
    pieces = [p.view(t.shape) for p, t in zip(out.split([t.numel() for t in tensors]), tensors)]
    return [p if m is None else p & m for p, m in zip(pieces, masks)]


class Operators(Case):
    def test_penalty_adds_its_gradient_and_returns_its_value(self):
        rho = 0.37
        for dtype, tolerance in TYPES:
            for narrow in EFFECTIVE_TYPES if dtype == torch.float32 else (torch.float64,):
                w, z, u, masks = parts(1, dtype)
                gradients = normal(9, dtype=narrow)
                before = copies(gradients)
                values = ops.admm_penalty_(gradients, w, z, u, masks, rho=rho)
                for i, mask in enumerate(masks):
                    gap = held(w[i].double() - z[i].double() + u[i].double(), mask)
                    expected = held(before[i].double() + rho * gap, mask)
                    terms = before[i].double().abs() + rho * (w[i].double().abs() + z[i].double().abs() + u[i].double().abs())
                    bound = (tolerance + (0 if narrow in (torch.float32, torch.float64) else EPSILON[narrow])) * terms
                    self.assert_within(gradients[i], expected, bound + 1e-7 * (narrow == torch.float16))
                    value = rho / 2 * float((gap * gap).sum())
                    self.assert_within(values[i], value, 10 * tolerance * value)

    def test_a_masked_gradient_becomes_zero_even_where_it_is_not_finite(self):
        w, z, u, _ = parts(2, torch.float32)
        gradients, masks = normal(10), masks_of(11, w)
        for g, m in zip(gradients, masks):
            g[~m] = torch.nan
        ops.admm_penalty_(gradients, w, z, u, masks, rho=1.0)
        for g, m in zip(gradients, masks):
            self.assert_zero(g, ~m)
            self.assertTrue(bool(g.isfinite().all()))

    def test_shrink_is_the_soft_threshold(self):
        for dtype, tolerance in TYPES:
            for delta in (0.0, 0.4, 100.0):
                w, z, u, masks = parts(3, dtype)
                counts = ops.admm_shrink_(z, w, u, masks, delta=delta)
                for i, mask in enumerate(masks):
                    expected = held(ops.soft_threshold((w[i] + u[i]).double(), delta), mask)
                    self.assert_within(z[i], expected, tolerance * (w[i].abs() + u[i].abs() + delta))
                    self.assertEqual(int(counts[i]), int(z[i].count_nonzero()))
                    if delta == 100.0:
                        self.assertEqual(int(counts[i]), 0)

    def test_keep_is_the_projection_on_the_largest(self):
        for dtype, _ in TYPES:
            w, z, u, masks = parts(4, dtype)
            w[3][:600] = 0.5  # a group of ties
            u[3][:600] = 0.25
            total = sum(t.numel() for t in w)
            image = [a + b for a, b in zip(w, u)]
            for kept in (0, 1, total // 10, total // 2, total):
                found = ops.admm_keep_(z, w, u, masks, kept=kept)
                expected = largest(image, masks, kept)
                for i, mask in enumerate(expected):
                    self.assert_same(found[i], mask, f"kept {kept}")
                    self.assert_same(z[i], torch.where(mask, image[i], 0.0), f"kept {kept}")
        w, z, u, _ = parts(5, torch.float32)
        found = ops.admm_keep_(z, w, u, [], kept=777)
        self.assertEqual(sum(int(m.sum()) for m in found), 777)

    def test_keep_of_channels_last_weights_ranks_by_index(self):
        random = generator(6)
        w = torch.randint(-2, 3, (6, 5, 4, 3), generator=random).float()
        expected = largest([w], [None], 150)[0]
        last = [t.contiguous(memory_format=torch.channels_last) for t in (torch.full_like(w, 9.0), w, torch.zeros_like(w))]
        (found,) = ops.admm_keep_([last[0]], [last[1]], [last[2]], [], kept=150)
        self.assert_same(found, expected)
        self.assert_same(last[0], torch.where(expected, w, 0.0))

    def test_dual_and_residuals(self):
        for dtype, tolerance in TYPES:
            w, z, u, _ = parts(7, dtype)
            before = copies(u)
            sums = ops.admm_dual_(u, w, z)
            for i in range(len(w)):
                gap = w[i].double() - z[i].double()
                scale = before[i].double().abs() + w[i].double().abs() + z[i].double().abs()
                self.assert_within(u[i], before[i].double() + gap, tolerance * scale)
                for k, x in enumerate((gap, w[i].double())):
                    self.assert_within(sums[i, k], (x * x).sum(), 10 * tolerance * (x * x).sum())


class Differentiable(Case):
    def test_gradients(self):
        random = generator(8)
        w, z, u = (torch.randn(23, generator=random, dtype=torch.float64, requires_grad=True) for _ in range(3))
        check = torch.autograd.gradcheck
        self.assertTrue(check(lambda *parts: ops.admm_penalty(*parts, 0.7), (w, z, u)))
        self.assertTrue(torch.autograd.gradgradcheck(lambda *parts: ops.admm_penalty(*parts, 0.7), (w, z, u)))
        self.assertTrue(check(lambda x: ops.soft_threshold(x, 0.4), (w,)))

    def test_penalty_is_the_fused_one(self):
        w, z, u = (t.requires_grad_() for t in normal(9, (100, 100, 100), torch.float64))
        value = ops.admm_penalty(w, z, u, 0.7)
        value.backward()
        gradient = [torch.zeros_like(w)]
        with torch.no_grad():
            fused = ops.admm_penalty_(gradient, [w], [z], [u], [], rho=0.7)
        self.assert_within(fused[0], value.detach(), 1e-12 * value.detach())
        self.assert_within(gradient[0], w.grad, 1e-13 * w.grad.abs().max())


if __name__ == "__main__":
    main()
