"""Learned Threshold Pruning's operators against their formulas in float64."""

import math

import torch
from common import EFFECTIVE_TYPES, SIZES, Case, copies, doubles, generator, main, masks_of, normal, ops, zeros

# tau, T, lambda; then w, g, z, s, v, d, gw approximate, gw exact.
VECTORS = (1.5e-3, 2e-4, 1e-4)
ROWS = torch.tensor(
    [
        [0.05, 0.3, 5, 0.99330715, 0.049665357, 0.0066480567, 0.29799214, 0.34818497],
        [-0.04, 0.3, 0.5, 0.62245933, -0.024898373, 0.23500371, 0.1867378, 1.3053555],
        [0.0387298335, -0.2, 0, 0.5, 0.019364917, 0.25, -0.1, -0.84031754],
        [0.03, 0.1, -3, 0.047425873, 0.0014227762, 0.04517666, 0.0047425873, 0.046756881],
        [0, 1.0, -7.5, 0.00055277864, 0, 0.00055247307, 0.00055277864, 0.00055277864],
        [0.2, -0.5, 192.5, 1, 0.2, 0, -0.5, -0.5],
    ],
    dtype=torch.float64,
)
S0, S1, S2 = 0.5373809, -0.0045212854, 0.0049917871
THRESHOLD_GRADIENT, PULL = 22.337737, 0.88544744

# The layer's sums stop at the gate's hard zero, exp(-80): where there is nothing else they are nothing.
NOTHING = 1e-30


def float32(x):
    return float(torch.tensor(x, dtype=torch.float32))


class Reference:
    """One layer, in float64."""

    def __init__(self, weight, gradient, threshold, temperature, cost=0.0, mask=None):
        kept = torch.ones_like(weight, dtype=torch.bool) if mask is None else mask
        w, g = weight.double(), gradient.double()
        self.kept = kept
        self.z = (w * w - threshold) / temperature
        self.s, self.d = torch.sigmoid(self.z), torch.sigmoid(self.z) * torch.sigmoid(-self.z)
        self.v = torch.where(kept, w * self.s, 0.0)
        self.approximate = g * self.s
        self.ofGate = 2 * w * self.d / temperature
        self.exact = self.approximate + self.ofGate * (g * w + cost)
        terms = torch.stack([self.d, self.d * g * w, self.d * (g * w).abs()])
        terms = torch.where(kept, terms, 0.0)
        self.sums, self.absolute = terms.sum(1), terms.abs().sum(1)
        self.figures = torch.stack(
            [(w * w > threshold) & kept, torch.where(kept, self.s, 0.0), (self.z.abs() < 4) & kept, torch.where(kept, self.d, 0.0)]
        ).sum(1)


def scalars(*values):
    return torch.tensor(values, dtype=torch.float64)


def gate(weights, masks, thresholds, temperatures, effective, previous=None, least=()):
    previous = thresholds.clone() if previous is None else previous
    return ops.ltp_gate_(weights, masks, thresholds, previous, temperatures, list(least), effective)


def gradients_of(weights, gradients, masks, thresholds, temperatures, cost, exact):
    """The weights' gradients as the step makes them, from empty momenta, and its sums."""
    momenta = zeros(weights)
    sums = ops.ltp_step_(
        copies(weights), gradients, momenta, masks, thresholds.clone(), thresholds.clone(), temperatures,
        torch.zeros_like(thresholds), cost=cost, learning_rate=0.0, momentum=0.9, exact=exact,
    )  # fmt: skip
    return momenta, sums


def around(seed, size, threshold, temperature, reach=200.0):
    """Weights whose z is spread evenly over [-reach, reach] as far as squares reach; a tenth of them near 0."""
    random = generator(seed)
    z = (torch.rand(size, generator=random, dtype=torch.float64) * 2 - 1) * reach
    z[: size // 10] *= 0.02
    sign = torch.where(torch.rand(size, generator=random) < 0.5, -1.0, 1.0)
    return ((threshold + z * temperature).clamp_min(0).sqrt() * sign).float()


class Vectors(Case):
    def check(self, dtype, tolerance):
        tau, temperature, cost = VECTORS
        w, g = (ROWS[:, i].to(dtype).contiguous() for i in (0, 1))
        thresholds, temperatures = scalars(tau), scalars(temperature)
        v = [torch.empty_like(w)]
        figures = gate([w], [], thresholds, temperatures, v)
        self.assert_within(v[0], ROWS[:, 4], tolerance * ROWS[:, 0].abs(), "v")
        self.assert_within(figures[0, 1], ROWS[:, 3].sum(), 6 * tolerance, "soft count")
        self.assertEqual(float(figures[0, 2]), 3, "in transition")
        for exact in (False, True):
            (gw,), sums = gradients_of([w], [g], [], thresholds, temperatures, cost, exact)
            expected = ROWS[:, 7 if exact else 6]
            bound = tolerance * (ROWS[:, 1].abs() + (expected - ROWS[:, 6]).abs())
            self.assert_within(gw, expected, bound, f"gw, exact {exact}")
            self.assert_within(sums[0], scalars(S0, S1, S2), 1e-7 * torch.tensor([1, 0.1, 0.1]), "sums")

    def test_float64(self):
        self.check(torch.float64, 5e-8)  # the table's digits

    def test_float32(self):
        self.check(torch.float32, 2e-6)

    def test_threshold_steps(self):
        tau, temperature, cost = VECTORS
        for normalised, rate, expected in (
            (True, 0.5, tau - 0.5 * temperature * PULL),
            (False, 1e-6, tau - 1e-6 * THRESHOLD_GRADIENT),
        ):
            thresholds, previous = scalars(tau), scalars(0)
            ops.ltp_step_(
                [ROWS[:, 0].clone()], [ROWS[:, 1].clone()], [], [], thresholds, previous, scalars(temperature),
                scalars(rate), cost=cost, learning_rate=0.0, normalised=normalised,
            )  # fmt: skip
            self.assert_within(thresholds, expected, 1e-7 * abs(expected - tau), f"normalised {normalised}")
            self.assertEqual(float(previous), tau)


class Random(Case):
    def test_float32_against_float64(self):
        for i, (ratio, temperature) in enumerate((r, t) for r in (0.0, 0.5, 7.5, 1e2, 1e4, 1e6) for t in (2e-4, 1e-9, 1e3)):
            temperature = float32(temperature)
            tau = float32(ratio * temperature)
            w = around(i, 20011, tau, temperature)
            g = normal(100 + i, (w.numel(),))[0]
            mask = masks_of(200 + i, [w], 0.7)[0] if i % 2 else None
            with self.subTest(ratio=ratio, temperature=temperature):
                self.check_layer(w, g, tau, temperature, 1e-4, mask)

    def test_odd_sizes_as_one_list(self):
        tau, temperature = float32(1.5e-3), float32(2e-4)
        weights = [around(i, size, tau, temperature) for i, size in enumerate(SIZES)]
        gradients = normal(1)
        masks = [m if i % 2 else None for i, m in enumerate(masks_of(2, weights))]
        thresholds = torch.full((len(SIZES),), tau, dtype=torch.float64)
        temperatures = torch.full_like(thresholds, temperature)
        momenta, sums = gradients_of(weights, gradients, masks, thresholds, temperatures, 1e-4, False)
        for i, (w, g) in enumerate(zip(weights, gradients)):
            expected = Reference(w, g, tau, temperature, 1e-4, masks[i])
            self.assert_within(momenta[i], torch.where(expected.kept, expected.approximate, 0.0), 2e-6 * g.abs())
            self.assert_within(sums[i], expected.sums, 1e-5 * expected.absolute + NOTHING)

    def test_denormals_and_extremes(self):
        tau, temperature = float32(1e-3), float32(1e-4)
        w = torch.tensor([1e-45, -1e-40, 1e-38, 0.0, -0.0, 1e-20, 1e15, -1e18, 0.0316, 0.04])
        g = torch.tensor([1e-45, 1e-40, -1e-39, 1e-45, 1.0, -1e30, 1e-44, 1e-30, 1e-41, -1e-45])
        # What is no normal number may be zero.
        self.check_layer(w, g, tau, temperature, 1e-4, None, least=2.0**-126)

    def check_layer(self, w, g, tau, temperature, cost, mask, least=0.0):
        masks = [] if mask is None else [mask]
        expected = Reference(w, g, tau, temperature, cost, mask)
        thresholds, temperatures = scalars(tau), scalars(temperature)
        effective = [torch.full_like(w, torch.nan)]
        figures = gate([w], masks, thresholds, temperatures, effective)
        self.assert_within(effective[0], expected.v, 2e-6 * w.abs() + least, "v")
        # The hard count is of the float32 square's side of the threshold: rounded once, it never changes sign.
        self.assertEqual(float(figures[0, 0]), float(expected.figures[0]), "kept")
        self.assert_within(figures[0, 1], expected.figures[1], 1e-5 * expected.figures[1] + NOTHING, "soft count")
        self.assert_within(figures[0, 2], expected.figures[2], 2, "in transition")
        self.assert_within(figures[0, 3], expected.figures[3], 1e-5 * expected.figures[3] + NOTHING, "slopes")
        for exact in (False, True):
            (gw,), sums = gradients_of([w], [g], masks, thresholds, temperatures, cost, exact)
            wanted = torch.where(expected.kept, expected.exact if exact else expected.approximate, 0.0)
            bound = 2e-6 * g.double().abs() + least
            if exact:
                steepness = (2 * w.double() / temperature).abs() * ((g.double() * w.double()).abs() + cost)
                bound = bound + 2e-6 * steepness
            self.assert_within(gw, wanted, bound, f"gw, exact {exact}")
            self.assert_within(sums[0], expected.sums, 1e-5 * expected.absolute + NOTHING, "sums")

    def test_float64_is_the_formula(self):
        tau, temperature, cost = VECTORS
        w, g = around(3, 5003, tau, temperature).double(), normal(4, (5003,), torch.float64)[0]
        expected = Reference(w, g, tau, temperature, cost)
        v = [torch.empty_like(w)]
        gate([w], [], scalars(tau), scalars(temperature), v)
        self.assert_within(v[0], expected.v, 1e-12 * w.abs())
        for exact in (False, True):
            (gw,), sums = gradients_of([w], [g], [], scalars(tau), scalars(temperature), cost, exact)
            wanted = expected.exact if exact else expected.approximate
            self.assert_within(gw, wanted, 1e-12 * (g.abs() + (expected.ofGate * (g * w + cost)).abs()))
            self.assert_within(sums[0], expected.sums, 1e-12 * expected.absolute)

    def test_half_types_round_once(self):
        tau, temperature = float32(1.5e-3), float32(2e-4)
        w = around(5, 4099, tau, temperature)
        for dtype in EFFECTIVE_TYPES:
            g = normal(6, (w.numel(),), dtype)[0]
            exact = [torch.empty_like(w)]
            narrow = [torch.empty_like(w, dtype=dtype)]
            gate([w], [], scalars(tau), scalars(temperature), exact)
            gate([w], [], scalars(tau), scalars(temperature), narrow)
            self.assert_same(narrow[0], exact[0].to(dtype), str(dtype))
            found = gradients_of([w], [g], [], scalars(tau), scalars(temperature), 1e-4, False)
            wide = gradients_of([w], [g.float()], [], scalars(tau), scalars(temperature), 1e-4, False)
            self.assert_same(found[0][0], wide[0][0], str(dtype))
            self.assert_same(found[1], wide[1], str(dtype))


class Threshold(Case):
    def test_gradient_is_the_finite_difference_of_the_loss(self):
        tau, temperature, cost = VECTORS
        w, g = around(7, 997, tau, temperature, 8.0).double(), normal(8, (997,), torch.float64)[0]

        def loss(threshold):
            v = [torch.empty_like(w)]
            figures = gate([w], [], scalars(threshold), scalars(temperature), v)
            return float((v[0] * g).sum() + cost * figures[0, 1])

        _, sums = gradients_of([w], [g], [], scalars(tau), scalars(temperature), cost, False)
        gradient = -float(sums[0, 1] + cost * sums[0, 0]) / temperature
        # Fourth order, so that the truncation stays below the bound with a step that rounding does not drown.
        h = 2e-7
        difference = (8 * (loss(tau + h) - loss(tau - h)) - (loss(tau + 2 * h) - loss(tau - 2 * h))) / (12 * h)
        self.assertLessEqual(abs(difference - gradient), 1e-6 * abs(gradient))

    def step(self, tau, rate, normalised, cost=1e-4, sign=1.0, **flags):
        temperature = 2e-4
        w, g = around(9, 3001, tau, temperature, 6.0), normal(10, (3001,))[0]
        # Pushed against each weight's own sign the boundary rises, with it it falls.
        g = sign * g.abs() * w.sign()
        thresholds, previous = scalars(tau), scalars(-1)
        before = w.clone()
        sums = ops.ltp_step_([w], [g], [], [], thresholds, previous, scalars(temperature), scalars(rate), cost=cost,
                             learning_rate=0.1, normalised=normalised, **flags)  # fmt: skip
        return float(thresholds), float(previous), sums[0], before, w

    def test_rules(self):
        for sign in (1.0, -1.0):
            for normalised, rate in ((True, 0.7), (False, 1e-10)):
                after, previous, sums, _, _ = self.step(1.5e-3, rate, normalised, sign=sign)
                s0, s1, s2 = (float(s) for s in sums)
                rise = rate * 2e-4 * (s1 + 1e-4 * s0) / (s2 + 1e-4 * s0 + 1e-30) if normalised else rate * (s1 + 1e-4 * s0) / 2e-4
                self.assertAlmostEqual((after - 1.5e-3) / rise, 1, delta=1e-9)
                self.assertEqual(rise > 0, sign > 0)
                self.assertEqual(previous, 1.5e-3)

    def test_normalised_moves_by_at_most_the_rate_in_temperatures(self):
        after, *_ = self.step(1.5e-3, 3.0, True, cost=1e9)
        self.assertAlmostEqual((after - 1.5e-3) / 2e-4, 3.0, places=5)

    def test_never_negative(self):
        for normalised in (True, False):
            self.assertEqual(self.step(1e-5, 100.0, normalised, sign=-1.0)[0], 0.0)

    def test_skip_changes_nothing(self):
        after, previous, sums, before, w = self.step(1.5e-3, 1.0, True, skip=torch.ones(1))
        self.assertEqual((after, previous), (1.5e-3, 1.5e-3))
        self.assert_same(w, before)
        self.assertEqual(float(sums.abs().sum()), 0)
        changed = self.step(1.5e-3, 1.0, True, skip=torch.zeros(1))
        self.assertNotEqual(changed[0], 1.5e-3)

    def test_hold_lets_thresholds_fall_and_not_rise(self):
        raised = torch.ones(1)
        after, _, _, before, w = self.step(1.5e-3, 1.0, True, hold=raised)
        self.assertEqual(after, 1.5e-3)
        self.assertFalse(torch.equal(w, before), "weights go on")
        self.assertLess(self.step(1.5e-3, 1.0, True, sign=-1.0, hold=raised)[0], 1.5e-3)
        self.assertGreater(self.step(1.5e-3, 1.0, True, hold=torch.zeros(1))[0], 1.5e-3)

    def test_cap_undoes_only_the_step_that_prunes_too_much(self):
        weights = [torch.linspace(-1, 1, 1001), torch.linspace(-1, 1, 1001), torch.linspace(-1, 1, 1001)]
        thresholds, previous = scalars(0.25, 0.81, 0.81), scalars(0.2, 0.2, 0.9)
        temperatures, least = scalars(1e-3, 1e-3, 1e-3), [400.0, 400.0, 400.0]
        effective = zeros(weights)
        figures = gate(weights, [], thresholds, temperatures, effective, previous, least)
        # The second is undone; the third has no step to undo, for its threshold fell, and falls by a tenth.
        self.assertEqual(thresholds.tolist(), [0.25, 0.2, 0.9 * 0.81])
        self.assertEqual(figures[:, 4].tolist(), [0, 1, 1])
        for i, tau in enumerate((0.25, 0.2, 0.9 * 0.81)):
            expected = Reference(weights[i], weights[i], tau, 1e-3)
            self.assert_within(effective[i], expected.v, 2e-4 * weights[i].abs())
            self.assertEqual(float(figures[i, 0]), float(expected.figures[0]))
        exact = gate([weights[0]], [], scalars(0.25), scalars(1e-3), zeros(weights[:1]), scalars(0.2), [500.0])
        self.assertEqual(exact[0].tolist()[0::4], [500.0, 0.0])


class Weights(Case):
    def test_steps_are_sgd_on_the_gated_gradient(self):
        tau, temperature = float32(1.5e-3), float32(2e-4)
        for momentum, nesterov, decay in ((0.0, False, 0.0), (0.9, False, 1e-3), (0.9, True, 5e-4)):
            for dtype, bound in ((torch.float32, 2e-6), (torch.float64, 1e-12)):
                w = around(11, 2049, tau, temperature, 20.0).to(dtype)
                start = w.clone()
                parameter = torch.nn.Parameter(w.double())
                optimizer = torch.optim.SGD([parameter], lr=0.01, momentum=momentum, nesterov=nesterov, weight_decay=decay)
                buffers = [torch.zeros_like(w)] if momentum else []
                for step in range(20):
                    g = normal(20 + step, (w.numel(),), dtype)[0] * 1e-3
                    # In float32 a step at a time: the gate at an edge turns rounding into a difference.
                    with torch.no_grad():
                        parameter.copy_(w)
                        if momentum and step:
                            optimizer.state[parameter]["momentum_buffer"].copy_(buffers[0])
                    parameter.grad = Reference(w, g, tau, temperature).approximate
                    optimizer.step()
                    ops.ltp_step_([w], [g], buffers, [], scalars(tau), scalars(0), scalars(temperature), scalars(0.0),
                                  cost=1e-4, learning_rate=0.01, momentum=momentum, nesterov=nesterov,
                                  weight_decay=decay)  # fmt: skip
                    self.assert_within(w, parameter.detach(), bound * float(start.abs().max()), f"step {step}")

    def test_masked_weights_stay_zero_whatever_their_gradient(self):
        weights, gradients = normal(12), normal(13)
        masks = masks_of(14, weights)
        for g, m in zip(gradients, masks):
            g[~m] = torch.nan
            g[~m & (torch.arange(g.numel()) % 2 == 0)] = torch.inf
        momenta, count = normal(15), len(weights)
        thresholds, temperatures = torch.full((count,), 0.1).double(), torch.full((count,), 0.05).double()
        effective = zeros(weights)
        for _ in range(3):
            sums = ops.ltp_step_(weights, gradients, momenta, masks, thresholds, thresholds.clone(), temperatures,
                                 torch.ones(count).double(), cost=1e-4, learning_rate=0.1, momentum=0.9,
                                 weight_decay=1e-2, exact=True)  # fmt: skip
            figures = gate(weights, masks, thresholds, temperatures, effective)
        for i, m in enumerate(masks):
            for name, tensors in (("weight", weights), ("momentum", momenta), ("effective", effective)):
                self.assert_zero(tensors[i], ~m, name)
                self.assertTrue(bool(tensors[i].isfinite().all()), name)
        self.assertTrue(bool(sums.isfinite().all() and thresholds.isfinite().all()))
        self.assertTrue(all(float(f) <= int(m.sum()) for f, m in zip(figures[:, 0], masks)))


if __name__ == "__main__":
    main()
