"""What every operator refuses, by name and without changing anything; what it accepts; meta tensors; statistics."""

import torch
from common import HALF_TYPES, SIZES, Case, copies, generator, main, masks_of, normal, ops, zeros

SHAPE = (4, 3, 2, 2)


def fresh(count=3, dtype=torch.float32, device="cpu", shape=SHAPE):
    random = generator(1)
    return [torch.randn(shape, generator=random, dtype=torch.float64).to(dtype).to(device) for _ in range(count)]


class Call:
    """One operator with sound arguments by name; `run` takes replacements."""

    def __init__(self, name, lists, vectors=(), tail=None, results=False):
        self.name, self.lists, self.vectors, self.tail = name, lists, vectors, tail or {}

    def arguments(self, device="cpu"):
        out = {}
        for name in self.lists:
            out[name] = [torch.zeros((), device=device) for _ in range(3)] if name == "steps" else fresh(device=device)
        if "second_moments" in out:
            out["second_moments"] = [t.square() for t in out["second_moments"]]
        for name in self.vectors:
            out[name] = torch.full((3,), 0.1, dtype=torch.float64, device=device)
        return out | self.tail

    def run(self, arguments):
        return getattr(ops, self.name)(**arguments)


CALLS = [
    Call("masked_sgd_", ("weights", "gradients", "momenta", "averages", "effective"), tail={"masks": [], "learning_rate": 0.1, "momentum": 0.9}),
    Call("masked_adam_", ("weights", "gradients", "first_moments", "second_moments", "steps", "averages", "effective"),
         tail={"masks": [], "learning_rate": 0.1}),
    Call("ltp_gate_", ("weights", "effective"), ("thresholds", "previous", "temperatures"), {"masks": [], "least_kept": [1.0] * 3}),
    Call("ltp_step_", ("weights", "gradients", "momenta"), ("thresholds", "previous", "temperatures", "rates"),
         {"masks": [], "cost": 1e-4, "learning_rate": 0.1, "momentum": 0.9}),
    Call("score_apply_", ("weights", "scores", "effective"), tail={"cut": 0.0}),
    Call("score_adam_", ("scores", "weights", "gradients", "first_moments", "second_moments", "steps"), tail={"learning_rate": 0.1}),
    Call("admm_penalty_", ("gradients", "weights", "sparse", "duals"), tail={"masks": [], "rho": 0.5}),
    Call("admm_shrink_", ("sparse", "weights", "duals"), tail={"masks": [], "delta": 0.1}),
    Call("admm_keep_", ("sparse", "weights", "duals"), tail={"masks": [], "kept": 7}),
    Call("admm_dual_", ("duals", "weights", "sparse")),
]  # fmt: skip
WRITTEN = {
    "masked_sgd_": ("weights", "momenta", "averages", "effective"),
    "masked_adam_": ("weights", "first_moments", "second_moments", "steps", "averages", "effective"),
    "ltp_gate_": ("effective", "thresholds"),
    "ltp_step_": ("weights", "momenta", "thresholds", "previous"),
    "score_apply_": ("effective",),
    "score_adam_": ("scores", "first_moments", "second_moments", "steps"),
    "admm_penalty_": ("gradients",),
    "admm_shrink_": ("sparse",),
    "admm_keep_": ("sparse",),
    "admm_dual_": ("duals",),
}


class Refused(Case):
    def refused(self, call, arguments, *words):
        """By an error that holds the words; nothing of what the operator writes has changed."""
        before = {name: [t.clone() for t in value] for name, value in arguments.items() if name in WRITTEN[call.name]}
        with self.subTest(op=call.name, words=words):
            with self.assertRaises((ValueError, TypeError)) as raised:
                call.run(arguments)
            for word in (call.name, *words):
                self.assertIn(word, str(raised.exception))
        for name, tensors in before.items():
            for kept, now in zip(tensors, arguments[name]):
                if not now.is_meta:
                    self.assert_same(now, kept, f"{call.name} {name}")

    def each_list(self):
        for call in CALLS:
            for name in call.lists:
                yield call, name, call.arguments()

    def test_lists_of_other_lengths(self):
        for call, name, arguments in self.each_list():
            arguments[name] = arguments[name][:2]
            self.refused(call, arguments)

    def test_lists_beside_an_empty_first_one(self):
        for call in CALLS:
            with self.subTest(op=call.name):
                self.refused(call, call.arguments() | {call.lists[0]: []})

    def test_other_shapes(self):
        for call, name, arguments in self.each_list():
            arguments[name][1] = torch.randn(4, 3, 2, 3)
            self.refused(call, arguments, "[1]" if name == "steps" or name != call.lists[0] else "[1] of shape", name if name != call.lists[0] else "")

    def test_other_types(self):
        for call, name, arguments in self.each_list():
            arguments[name][1] = arguments[name][1].to(torch.int32)
            self.refused(call, arguments, "[1]", "Int")
        for call, name, arguments in self.each_list():
            if name not in ("gradients", "effective"):
                arguments[name] = [t.double() for t in arguments[name]]
                self.refused(call, arguments, "Float")
        for call, name, arguments in self.each_list():
            if name in ("gradients", "effective"):
                for other in call.lists:
                    if other not in ("steps", "gradients", "effective"):
                        arguments[other] = [t.double() for t in arguments[other]]
                arguments[name] = [t.half() for t in arguments[name]]
                self.refused(call, arguments, "float64")

    def test_other_devices(self):
        for call, name, arguments in self.each_list():
            arguments[name][1] = arguments[name][1].to("meta")
            self.assertRaises((ValueError, NotImplementedError, RuntimeError), call.run, arguments)

    def test_not_side_by_side_in_memory(self):
        for call, name, arguments in self.each_list():
            if name == "steps":
                continue
            arguments[name][1] = torch.randn(4, 3, 2, 4)[..., ::2]
            self.refused(call, arguments, name, "[1]", "strides")

    def test_other_layouts(self):
        for call, name, arguments in self.each_list():
            if name == "steps":
                continue
            arguments[name][1] = arguments[name][1].contiguous(memory_format=torch.channels_last)
            self.refused(call, arguments, "[1]", "strides", "copy it")

    def test_written_tensors_that_share_memory(self):
        for call in CALLS:
            for name in WRITTEN[call.name]:
                for other in (*call.lists, *call.vectors):
                    arguments = call.arguments()
                    if torch.is_tensor(arguments[name]):
                        if other == name or other in call.lists:
                            continue
                        arguments[name] = arguments[other]
                    elif other in call.vectors or (name == "steps") != (other == "steps"):
                        continue
                    else:
                        arguments[name][2] = arguments[other][0]
                    with self.subTest(op=call.name, written=name, other=other):
                        self.refused(call, arguments, "in memory of their own", name, other)
        call = CALLS[0]
        memory = torch.randn(2 * 48 - 1)
        arguments = call.arguments()
        arguments["weights"][0], arguments["momenta"][2] = memory[:48].view(SHAPE), memory[47:].view(SHAPE)
        self.refused(call, arguments, "weights[0]", "momenta[2]")

    def test_masks(self):
        for call in CALLS:
            if "masks" not in call.tail:
                continue
            masks = masks_of(2, fresh())
            for wrong, word in (
                ([*masks[:2]], "masks"),
                ([masks[0], masks[1].float(), masks[2]], "masks[1]"),
                ([masks[0], masks[1][:2], masks[2]], "masks[1]"),
                ([masks[0], None, masks[2].contiguous(memory_format=torch.channels_last)], "masks[2]"),
            ):
                with self.subTest(op=call.name, word=word):
                    self.refused(call, call.arguments() | {"masks": wrong}, word)

    def test_vectors_and_flags(self):
        for call in CALLS:
            for name in call.vectors:
                with self.subTest(op=call.name, vector=name):
                    self.refused(call, call.arguments() | {name: torch.zeros(3)}, name, "Float")
                    self.refused(call, call.arguments() | {name: torch.zeros(2).double()}, name)
                    self.refused(call, call.arguments() | {name: torch.zeros(6).double()[::2]}, name)
        for call in (CALLS[0], CALLS[1], CALLS[3], CALLS[5]):
            self.refused(call, call.arguments() | {"skip": torch.zeros(2)}, "skip")
            self.refused(call, call.arguments() | {"skip": torch.zeros(1).double()}, "skip")
        self.refused(CALLS[2], CALLS[2].arguments() | {"least_kept": [1.0]}, "least_kept")
        self.refused(CALLS[8], CALLS[8].arguments() | {"kept": 145}, "kept", "144")
        self.refused(CALLS[0], CALLS[0].arguments() | {"momenta": []}, "momenta")
        self.refused(CALLS[3], CALLS[3].arguments() | {"momenta": []}, "momenta")

    def test_selections(self):
        x = fresh()
        for arguments, words in (
            (("select_lowest", x, 145), "cut from 0 to 144"),
            (("select_lowest", x, -1), "cut"),
            (("select_lowest", [x[0].int()], 0), r"tensors\[0\]"),
            (("select_lowest", [x[0], x[1].double()], 0), r"tensors\[1\]"),
            (("kth_magnitude", x, 0), "k"),
            (("kth_magnitude", x, 145), "k"),
            (("select_lowest_each", x, [1, 2]), "cuts"),
            (("select_lowest_each", x, [1, 2, 49]), r"cuts\[2\]"),
            (("select_lowest_between", x, 5, [2, 2, 2], [9, 9, 9]), "cut from 6 to 27"),
            (("select_lowest_between", x, 28, [2, 2, 2], [9, 9, 9]), "cut from 6 to 27"),
            (("select_lowest_between", x, 5, [2, 2, 2], [9, 1, 9]), r"least\[1\]"),
            (("select_n_of_m", x, 3, 2), "n from 0 to m"),
            (("select_n_of_m", x, 1, 0), "n from 0 to m"),
            (("select_n_of_m", x, 1, 3), "multiple of 3"),
            (("select_n_of_m", [torch.ones(())], 1, 1), r"tensors\[0\]"),
        ):  # fmt: skip
            with self.subTest(arguments=arguments[0], words=words), self.assertRaisesRegex((ValueError, TypeError), words):
                getattr(ops, arguments[0])(*arguments[1:])


class Accepted(Case):
    def channels_last(self, value):
        shaped = isinstance(value, list) and value and torch.is_tensor(value[0]) and value[0].dim() == 4
        return [t.contiguous(memory_format=torch.channels_last) for t in value] if shaped else value

    def test_channels_last_gives_the_same_values(self):
        for call in CALLS:
            masks = {"masks": masks_of(3, fresh())} if "masks" in call.tail else {}
            plain = call.arguments() | masks
            last = {name: self.channels_last(copies(v) if isinstance(v, list) and name in call.lists else v) for name, v in (call.arguments() | masks).items()}
            call.run(plain)
            call.run(last)
            for name in WRITTEN[call.name]:
                for p, l in zip(plain[name], last[name]):
                    if name in call.vectors:  # from sums, which run in the order of memory
                        self.assert_within(l, p, 1e-6 * float(p), f"{call.name} {name}")
                    else:
                        self.assert_same(l, p, f"{call.name} {name}")

    def test_a_stride_along_one_element_does_not_matter(self):
        w, g = torch.randn(8, 5, 1, 1), torch.empty_strided((8, 5, 1, 1), (5, 1, 5, 5)).normal_()
        expected = w - 0.5 * g
        ops.masked_sgd_([w], [g], [], [], [], [], learning_rate=0.5)
        self.assert_within(w, expected, 1e-6)
        self.assertEqual(g.stride(), (5, 1, 5, 5))

    def test_parameters_without_a_graph(self):
        parameter = torch.nn.Parameter(torch.ones(5))
        with torch.no_grad():
            ops.masked_sgd_([parameter], [torch.ones(5)], [], [], [], [], learning_rate=0.5)
        self.assertEqual(parameter.tolist(), [0.5] * 5)

    def test_nothing_to_do(self):
        none = torch.zeros(0, dtype=torch.float64)
        self.assertEqual(ops.ltp_gate_([], [], none, none.clone(), none, [], []).shape, (0, 5))
        self.assertEqual(ops.ltp_step_([], [], [], [], none, none.clone(), none, none, cost=0.0, learning_rate=0.1).shape, (0, 3))
        ops.raise_if_not_finite_(torch.zeros(1), [])

    def test_a_thousand_tiny_tensors(self):
        weights = [torch.full((k % 7,), float(k)) for k in range(1000)]
        ops.masked_sgd_(weights, [torch.ones_like(w) for w in weights], [], [], [], [], learning_rate=1.0)
        self.assertTrue(all(bool((w == k - 1).all()) for k, w in enumerate(weights)))
        counts = torch.full((1000,), 0.25, dtype=torch.float64)
        figures = ops.ltp_gate_(weights, [], counts.clone(), counts.clone(), counts, [], zeros(weights))
        self.assertEqual(figures[:, 0].tolist(), [float((w * w > 0.25).sum()) for w in weights])


class Meta(Case):
    def test_shapes_without_data(self):
        for call in CALLS:
            real, meta = call.run(call.arguments()), call.run(call.arguments("meta"))
            for r, m in zip(*([x] if torch.is_tensor(x) else x or [] for x in (real, meta)), strict=True):
                self.assertEqual((r.shape, r.dtype), (m.shape, m.dtype), call.name)
                self.assertTrue(m.is_meta, call.name)
        here, there = fresh(), fresh(device="meta")
        for name, arguments in (("kth_magnitude", (3,)), ("select_lowest", (3,)), ("select_lowest_each", ([1, 2, 3],)),
                                ("select_lowest_between", (3, [0] * 3, [9] * 3)), ("select_n_of_m", (1, 2)), ("statistics", ())):  # fmt: skip
            real, meta = (getattr(ops, name)(x, *arguments) for x in (here, there))
            for r, m in zip(*([x] if torch.is_tensor(x) else x for x in (real, meta)), strict=True):
                self.assertEqual((r.shape, r.dtype, m.is_meta), (m.shape, m.dtype, True), name)

    def test_the_same_checks(self):
        with self.assertRaisesRegex(ValueError, r"gradients\[0\] of shape"):
            ops.masked_sgd_([torch.empty(3, device="meta")], [torch.empty(4, device="meta")], [], [], [], [], learning_rate=0.1)
        with self.assertRaisesRegex(ValueError, "cut from 0 to 3"):
            ops.select_lowest([torch.empty(3, device="meta")], 4)


class Statistics(Case):
    def test_figures(self):
        for dtype in (torch.float32, torch.float64, *HALF_TYPES):
            tensors = normal(4, dtype=dtype)
            for t in tensors:
                t[::3] = 0
                t[1::9] = -0.0
                for k, value in ((5, torch.nan), (7, torch.inf), (11, -torch.inf)):
                    t[k::13] = value
            found = ops.statistics(tensors)
            for row, t in zip(found, tensors):
                finite = t[t.isfinite()].double()
                self.assertEqual(row[:3].tolist(), [float((t == 0).sum()), float(t.isnan().sum()), float(t.isinf().sum())])
                self.assert_within(row[3:], torch.stack([finite.abs().sum(), finite.square().sum()]),
                                   (1e-13 if dtype == torch.float64 else 2e-6) * row[3:])  # fmt: skip

    def test_flag(self):
        for dtype in (torch.float32, torch.float64, *HALF_TYPES):
            for value in (torch.nan, torch.inf, -torch.inf):
                for size in SIZES[1:]:
                    for where in {0, size // 2, size - 1}:
                        tensors = [torch.zeros(5, dtype=dtype), torch.ones(size, dtype=dtype)]
                        flag = torch.zeros(1)
                        ops.raise_if_not_finite_(flag, tensors)
                        self.assertEqual(float(flag), 0)
                        tensors[1][where] = value
                        ops.raise_if_not_finite_(flag, tensors)
                        self.assertEqual(float(flag), 1)
        ops.raise_if_not_finite_(flag, [torch.ones(3)])
        self.assertEqual(float(flag), 1, "a raised flag stays")


class Gate(Case):
    def test_gradients(self):
        random = generator(5)
        weight = torch.randn(29, generator=random, dtype=torch.float64, requires_grad=True)
        threshold = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        temperature = torch.tensor(0.2, dtype=torch.float64)
        gate = lambda w, t: ops.ltp_effective_weight(w, t, temperature)
        self.assertTrue(torch.autograd.gradcheck(gate, (weight, threshold)))
        self.assertTrue(torch.autograd.gradgradcheck(gate, (weight, threshold)))
        # Not exact: the threshold's gradient as before, the weight's with the gate as a constant.
        upstream = torch.randn(29, generator=random, dtype=torch.float64)
        grads = []
        for exact in (True, False):
            v, count = ops.ltp_effective_weight(weight, threshold, temperature, exact)
            grads.append(torch.autograd.grad((v * upstream).sum() + 0.7 * count, (weight, threshold)))
        self.assert_same(grads[0][1], grads[1][1])
        open_ = torch.sigmoid((weight.detach() ** 2 - 0.3) / 0.2)
        self.assert_within(grads[1][0], upstream * open_, 1e-15)

    def test_is_the_fused_one(self):
        w, g = normal(6, (501,), torch.float64)[0], normal(7, (501,), torch.float64)[0]
        scalar = lambda x: torch.tensor([x], dtype=torch.float64)
        for exact in (True, False):
            weight, threshold = w.clone().requires_grad_(), scalar(0.3).requires_grad_()
            v, count = ops.ltp_effective_weight(weight, threshold, scalar(0.2), exact)
            ((v * g).sum() + 0.01 * count).backward()
            effective, momentum = [torch.empty_like(w)], [torch.zeros_like(w)]
            figures = ops.ltp_gate_([w], [], scalar(0.3), scalar(0.3), scalar(0.2), [], effective)
            sums = ops.ltp_step_([w.clone()], [g], momentum, [], scalar(0.3), scalar(0.3), scalar(0.2), scalar(0.0), cost=0.01,
                                 learning_rate=0.0, momentum=0.9, exact=exact)  # fmt: skip
            self.assert_within(effective[0], v.detach(), 1e-14)
            self.assert_within(figures[0, 1], count.detach(), 1e-11)
            self.assert_within(momentum[0], weight.grad, 1e-13)
            self.assert_within(-(sums[0, 1] + 0.01 * sums[0, 0]) / 0.2, threshold.grad[0], 1e-11)


if __name__ == "__main__":
    main()
