"""Exact selection by magnitude against a stable sort, ties by index; its limits against a greedy reference."""

import itertools

import torch
from common import Case, generator, main, ops

INF = float("inf")
BRACKETS = (2**15 + 3, 2**20 + 3)  # from the first on the threshold is sought in a sampled bracket


class Sorted:
    """The definition: a stable sort by magnitude, in the order of tensors and index."""

    def __init__(self, tensors):
        self.tensors = tensors
        flat = torch.cat([t.detach().abs().flatten() for t in tensors])
        self.values, self.order = torch.sort(flat, stable=True)

    def masks(self, cut):
        kept = torch.ones(self.order.numel(), dtype=torch.bool)
        kept[self.order[:cut]] = False
        return [m.view(t.shape) for m, t in zip(kept.split([t.numel() for t in self.tensors]), self.tensors)]


def draw(random, size, kind, dtype):
    """Values of many kinds, most of them full of ties."""
    if kind == "normal":
        x = torch.randn(size, generator=random, dtype=torch.float64)
    elif kind == "levels":
        x = torch.randint(-4, 5, (size,), generator=random).double() * 0.125
    elif kind == "equal":
        x = torch.full((size,), 0.3).double() * torch.where(torch.rand(size, generator=random) < 0.5, -1.0, 1.0)
    elif kind == "zeros":
        x = torch.where(torch.rand(size, generator=random) < 0.9, -0.0, torch.randn(size, generator=random)).double()
    elif kind == "extremes":
        values = torch.tensor([0.0, -0.0, INF, -INF, 1e-45, -1e-40, 1e38, 65504.0, 1e-7, 1.0], dtype=torch.float64)
        x = values[torch.randint(0, len(values), (size,), generator=random)]
    return x.to(dtype)


KINDS = ("normal", "levels", "equal", "zeros", "extremes")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


class Exact(Case):
    def check(self, tensors, *cuts):
        expected = Sorted(tensors)
        for cut in cuts:
            with self.subTest(cut=cut):
                found = ops.select_lowest(tensors, cut)
                self.assertEqual(sum(int((~m).sum()) for m in found), cut)
                for f, e in zip(found, expected.masks(cut), strict=True):
                    self.assert_same(f, e)
                if cut > 0:
                    self.assert_same(ops.kth_magnitude(tensors, cut), expected.values[cut - 1])

    def test_properties(self):
        random = generator(1)
        pick = lambda *choices: choices[int(torch.randint(0, len(choices), (1,), generator=random))]
        for case in range(150):
            kind, dtype = KINDS[case % len(KINDS)], DTYPES[(case // len(KINDS)) % len(DTYPES)]
            count = pick(1, 2, 3, 7)
            tensors = [draw(random, pick(0, 1, 2, 17, 333, 16384, 16385, 40001), kind, dtype) for _ in range(count)]
            total = sum(t.numel() for t in tensors)
            cut = pick(0, total, total // 2, min(1, total), int(torch.randint(0, total + 1, (1,), generator=random)))
            with self.subTest(case=case, kind=kind, dtype=dtype, sizes=[t.numel() for t in tensors], cut=cut):
                self.check(tensors, cut)

    def test_properties_where_a_bracket_is_sampled(self):
        random = generator(2)
        for kind, n in itertools.product(KINDS, BRACKETS):
            tensors = [draw(random, size, kind, torch.float32) for size in (n // 2, 1, 0, n // 2 + 1)]
            total = sum(t.numel() for t in tensors)
            with self.subTest(kind=kind, total=total):
                self.check(tensors, 0, 1, total // 10, total // 2, total * 9 // 10, total - 1, total)

    def test_what_misleads_the_sample(self):
        for n in BRACKETS:
            with self.subTest(n=n):
                self.check_what_misleads(n)

    def check_what_misleads(self, n):
        i = torch.arange(n)
        random = generator(3)
        noise = torch.rand(n, generator=random)
        adversaries = {
            # What stands at multiples of 64 (among the sampled ones) says nothing of the others.
            "periodic": torch.where(i % 64 == 0, 1000 + noise, noise),
            "periodic low": torch.where(i % 64 == 0, 1e-3 * noise, 1 + noise),
            "stride 16": torch.where(i % 16 == 0, 5.0, noise),
            "sorted": torch.linspace(-1, 1, n),
            "one block": torch.cat([torch.full((n - 20000,), 9.0), 1 + 0.01 * noise[:20000]]),
            "a quarter of ties": torch.where(torch.rand(n, generator=random) < 0.25, 0.5, noise),
            "two values": torch.where(torch.rand(n, generator=random) < 0.5, 0.25, -0.75),
            "constant": torch.full((n,), -3.0),
            "one differs": torch.full((n,), 2.0).index_fill_(0, torch.tensor([n // 3]), 1.0),
        }
        for name, x in adversaries.items():
            with self.subTest(name=name):
                shares = (0.001, 0.015625, 0.25, 0.5, 0.625, 0.9, 0.984, 0.999)
                self.check([x[: n // 3], x[n // 3 :]], *(round(n * share) for share in shares))

    def test_a_thousand_tiny_tensors(self):
        random = generator(4)
        self.check([draw(random, k % 5, "levels", torch.float32) for k in range(1000)], 700)

    def test_channels_last_and_views_rank_by_logical_index(self):
        random = generator(5)
        x = torch.randint(-2, 3, (4, 6, 5, 3), generator=random).float()
        views = (x.contiguous(memory_format=torch.channels_last), x.transpose(0, 1).contiguous().transpose(0, 1))
        for view in (*views, x.repeat_interleave(2, 3)[..., ::2]):
            self.assertTrue(torch.equal(view, x) and not view.is_contiguous())
            self.assert_same(ops.select_lowest([view], 201)[0], Sorted([x]).masks(201)[0])
        self.assert_same(ops.select_lowest([torch.ones(1).expand(7)], 3)[0].int(), torch.tensor([0, 0, 0, 1, 1, 1, 1]).int())

    def test_half_types_rank_as_their_own_values(self):
        x = torch.arange(1, 2000).float().flip(0).bfloat16()  # many neighbours round to the same
        self.check([x], 1000)


class Layers(Case):
    def test_each(self):
        random = generator(6)
        for case in range(40):
            kind, dtype = KINDS[case % len(KINDS)], DTYPES[case % len(DTYPES)]
            tensors = [draw(random, int(n), kind, dtype) for n in torch.randint(0, 400, (5,), generator=random)]
            cuts = [int(torch.randint(0, t.numel() + 1, (1,), generator=random)) for t in tensors]
            for f, t, c in zip(ops.select_lowest_each(tensors, cuts), tensors, cuts, strict=True):
                self.assert_same(f, Sorted([t]).masks(c)[0], f"{kind} {dtype}")

    def greedy(self, tensors, cut, least, most):
        """Each tensor's `least` lowest fall; then, lowest first, whatever its tensor may still lose."""
        ranked = []
        masks = [torch.ones(t.numel(), dtype=torch.bool) for t in tensors]
        for k, t in enumerate(tensors):
            order = torch.argsort(t.abs(), stable=True)
            masks[k][order[: least[k]]] = False
            ranked += [(float(t[i].abs()), k, int(i)) for i in order[least[k] : most[k]]]
        for _, k, i in sorted(ranked)[: cut - sum(least)]:
            masks[k][i] = False
        return masks

    def test_between_limits(self):
        random = generator(7)
        number = lambda low, high: int(torch.randint(low, high + 1, (1,), generator=random))
        for case in range(120):
            kind, dtype = KINDS[case % len(KINDS)], DTYPES[(case // 5) % len(DTYPES)]
            tensors = [draw(random, number(0, 60), kind, dtype) for _ in range(number(1, 5))]
            least = [number(0, t.numel()) for t in tensors]
            most = [number(low, t.numel()) for low, t in zip(least, tensors)]
            cut = number(sum(least), sum(most))
            found = ops.select_lowest_between(tensors, cut, least, most)
            expected = self.greedy(tensors, cut, least, most)
            with self.subTest(case=case, kind=kind, cut=cut, least=least, most=most):
                for f, e in zip(found, expected, strict=True):
                    self.assert_same(f, e)

    def test_limits_that_do_not_bind_change_nothing(self):
        random = generator(8)
        tensors = [draw(random, 3000, "levels", torch.float32) for _ in range(3)]
        free = ops.select_lowest_between(tensors, 4001, [0] * 3, [3000] * 3)
        for f, e in zip(free, ops.select_lowest(tensors, 4001)):
            self.assert_same(f, e)

    def test_n_of_m(self):
        random = generator(9)
        for m in (1, 2, 3, 4, 8, 16, 40):
            for kind in KINDS:
                x = draw(random, 6 * 5 * m, kind, DTYPES[m % 4]).view(6, 5 * m)
                for n in {0, 1, m // 2, m - 1, m}:
                    groups = x.abs().view(-1, m)
                    order = torch.argsort(groups, dim=1, stable=True)[:, m - n :]
                    expected = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order, True).view_as(x)
                    found = ops.select_n_of_m([x, x[:0], x[:1]], n, m)
                    self.assert_same(found[0], expected, f"{n} of {m}, {kind}")
                    self.assert_same(found[2], expected[:1])
                    self.assertEqual(found[1].shape, x[:0].shape)
        last = draw(random, 3 * 8 * 2 * 4, "levels", torch.float32).view(3, 8, 2, 4).contiguous(memory_format=torch.channels_last)
        self.assert_same(ops.select_n_of_m([last], 2, 4)[0], ops.select_n_of_m([last.contiguous()], 2, 4)[0])


class NotANumber(Case):
    def refused(self, call, index):
        with self.assertRaisesRegex(ValueError, rf"tensors\[{index}\], found NaN"):
            call()

    def test_is_refused_by_the_name_of_its_tensor(self):
        for dtype in DTYPES:
            for size in (8, BRACKETS[-1] // 2) if dtype == torch.float32 else (8,):
                tensors = [torch.ones(size, dtype=dtype) for _ in range(4)]
                for nan in (torch.nan, -torch.nan):
                    tensors[2][-1], tensors[3][0] = nan, nan  # the first of them is named
                    for cut in (0, 5, 4 * size):
                        self.refused(lambda: ops.select_lowest(tensors, cut), 2)
                        self.refused(lambda: ops.select_lowest_between(tensors, cut, [0] * 4, [size] * 4), 2)
                    self.refused(lambda: ops.kth_magnitude(tensors, 3), 2)
                    self.refused(lambda: ops.select_lowest_each(tensors, [1, 1, 1, 1]), 2)
                    self.refused(lambda: ops.select_n_of_m(tensors, 0, 1), 2)
                    self.refused(lambda: ops.select_n_of_m(tensors, 1, 1), 2)
        for payload in (0x7F800001, 0x7FFFFFFF, -1):
            odd = torch.tensor([0, payload if payload > 0 else -1], dtype=torch.int64).to(torch.int32).view(torch.float32)
            self.refused(lambda: ops.select_lowest([odd], 1), 0)


if __name__ == "__main__":
    main()
