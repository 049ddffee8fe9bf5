"""Fused layers against the operators that they stand for."""

import itertools

import torch
from common import Case, main, ops
from torch.nn import functional

# Sixteen channels at a time and what is left, one channel, one pixel, more pixels than a block of sums has.
SHAPES = ((4, 3, 8, 8), (2, 16, 6, 10), (3, 35, 2, 2), (2, 2, 66, 130), (1, 1, 2, 300), (2, 17, 7, 9), (2, 1, 1, 5), (5, 32, 1, 1))
NAMES = ("output", "input", "weight", "bias", "running mean", "running variance")


def plain(x, weight, bias, mean, variance, training, momentum, epsilon, pooled):
    y = torch.relu(functional.batch_norm(x, mean, variance, weight, bias, training, momentum, epsilon))
    return functional.max_pool2d(y, 2) if pooled else y


class Fused(torch.autograd.Function):
    @staticmethod
    def forward(context, x, weight, bias, mean, variance, training, momentum, epsilon, pooled):
        y, statistics, chosen = ops.batch_norm_relu_forward_(
            x, weight, bias, mean, variance, training, momentum, epsilon, pooled
        )
        context.save_for_backward(x, weight, bias, statistics, chosen)
        context.training = training
        return y

    @staticmethod
    def backward(context, gradient):
        x, weight, bias, statistics, chosen = context.saved_tensors
        wanted = list(context.needs_input_grad[:3])
        parts = ops.batch_norm_relu_backward(
            channels_last(gradient), x, weight, bias, statistics, chosen, context.training, wanted
        )
        return (*(part if is_wanted else None for part, is_wanted in zip(parts, wanted)), *[None] * 6)


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def drawn(shape, affine=True):
    torch.manual_seed(sum(shape))
    x = channels_last(torch.randn(shape) * 3 + 1).requires_grad_()
    weight = torch.randn(shape[1]).requires_grad_() if affine else None
    bias = torch.randn(shape[1]).requires_grad_() if affine else None
    return x, weight, bias, torch.randn(shape[1]), torch.rand(shape[1])


def results(operator, inputs, pooled, training=True, momentum=0.3, rounded=None):
    x, weight, bias, mean, variance = inputs
    y = operator(x, weight, bias, mean, variance, training, momentum, 1e-5, pooled)
    torch.manual_seed(7)
    leaves = [each for each in (x, weight, bias) if each is not None]
    gradients = torch.autograd.grad(y, leaves, torch.randn(y.shape).to(rounded).to(y.dtype))
    gradients += (None,) * (3 - len(leaves))
    return dict(zip(NAMES, (y.detach(), *gradients, mean, variance)))


def is_even(shape):
    return shape[2] % 2 == 0 and shape[3] % 2 == 0


def widened(inputs):
    return [each if each is None else each.detach().double().requires_grad_(each.requires_grad) for each in inputs]


class BatchNormRelu(Case):
    def test_values_and_gradients_are_those_of_float64(self):
        for shape in SHAPES:
            for pooled in (False, True) if is_even(shape) else (False,):
                for affine, training in itertools.product((True, False), repeat=2):
                    inputs = drawn(shape, affine)
                    exact = results(plain, widened(inputs), pooled, training)
                    for name, found in results(Fused.apply, inputs, pooled, training).items():
                        if found is not None:
                            expected = exact[name]
                            # A sum over a channel may cancel: then it is as good as its terms.
                            bound = 2e-6 * float(expected.abs().max()) + 1e-6
                            self.assert_within(found, expected, bound)

    def test_bfloat16_is_float32_rounded_where_it_is_written(self):
        for shape in SHAPES:
            for pooled in (False, True) if is_even(shape) else (False,):
                for affine, training in itertools.product((True, False), repeat=2):
                    wide, narrow = drawn(shape, affine), drawn(shape, affine)
                    narrow = (narrow[0].detach().bfloat16().requires_grad_(), *narrow[1:])
                    wide = (narrow[0].detach().float().requires_grad_(), *wide[1:])
                    exact = results(Fused.apply, wide, pooled, training, rounded=torch.bfloat16)
                    for name, found in results(Fused.apply, narrow, pooled, training).items():
                        expected = exact[name]
                        if found is None:
                            continue
                        if name in ("output", "input"):
                            self.assertEqual(found.dtype, torch.bfloat16)
                            expected = expected.bfloat16()
                        if name == "input" and pooled and training:
                            # Written twice: what a maximum hands on, then what statistics give.
                            self.assert_within(found, expected, 2**-7 * float(expected.abs().max()), name)
                        else:
                            self.assertTrue(torch.equal(found, expected), name)

    def test_bfloat16_keeps_what_is_not_a_number_or_too_large(self):
        x = channels_last(torch.tensor([3.4e38, 3.38e38, float("inf"), float("nan"), 1e-40, 1 + 2**-8, 1 + 3 * 2**-8, -1.0]).view(1, 1, 2, 4))
        variance = torch.ones(1)
        for scale in (1.0, 1.00390625, 0.998):
            rest = (torch.tensor([scale]), torch.zeros(1), torch.zeros(1), variance, False, 0.1, 0.0, False)
            narrow, _, _ = ops.batch_norm_relu_forward_(x.bfloat16(), *rest)
            wide, _, _ = ops.batch_norm_relu_forward_(x.bfloat16().float(), *rest)
            self.assertTrue(torch.equal(narrow.nan_to_num(-1), wide.bfloat16().nan_to_num(-1)))

    def test_only_what_is_wanted(self):
        for training, pooled in itertools.product((True, False), repeat=2):
            every = results(Fused.apply, drawn((4, 3, 8, 8)), pooled, training)
            for name, at in (("input", 0), ("weight", 1), ("bias", 2)):
                inputs = drawn((4, 3, 8, 8))
                for i in range(3):
                    inputs[i].requires_grad_(i == at)
                y = Fused.apply(*inputs, training, 0.3, 1e-5, pooled)
                torch.manual_seed(7)
                (found,) = torch.autograd.grad(y, [inputs[at]], torch.randn(y.shape))
                self.assertTrue(torch.equal(found, every[name]), name)

    def test_without_running_statistics(self):
        x, weight, bias, _, _ = drawn((4, 3, 8, 8))
        found = Fused.apply(x, weight, bias, None, None, True, 0.1, 1e-5, True)
        expected = plain(*widened((x, weight, bias)), None, None, True, 0.1, 1e-5, True)
        self.assert_within(found, expected, 1e-5)

    def test_refuses_what_it_is_not_for_by_name(self):
        def refuses(words, x, *rest, training=True, pooled=False):
            with self.assertRaisesRegex(ValueError, words):
                ops.batch_norm_relu_forward_(x, *rest, training, 0.1, 1e-5, pooled)

        x, weight, bias, mean, variance = (each.detach() for each in drawn((4, 3, 8, 8)))
        refuses("channels-last float32 or bfloat16 images", x.double(), weight, bias, mean, variance)
        refuses("channels-last float32 or bfloat16 images", x.contiguous(), weight, bias, mean, variance)
        refuses("channels-last float32 or bfloat16 images", x[0], weight, bias, mean, variance)
        refuses("3 float32 values on the CPU for weight", x, weight[:2], bias, mean, variance)
        refuses("3 float32 values on the CPU for running_mean", x, weight, bias, mean.double(), variance)
        refuses("running_mean and running_var where training is off", x, weight, bias, None, variance, training=False)
        refuses("even height and width", channels_last(x[:, :, :7]), weight, bias, mean, variance, pooled=True)
        refuses("more than one value a channel", channels_last(x[:1, :, :1, :1]), weight, bias, mean, variance)
        _, statistics, chosen = ops.batch_norm_relu_forward_(x, weight, bias, mean, variance, True, 0.1, 1e-5, True)
        fitting = channels_last(torch.zeros(4, 3, 4, 4))
        for gradient in (channels_last(torch.zeros(4, 3, 8, 8)), channels_last(torch.zeros(4, 3, 2, 8)), fitting.contiguous(), fitting.bfloat16()):
            with self.assertRaisesRegex(ValueError, "a channels-last gradient in .* of shape"):
                ops.batch_norm_relu_backward(gradient, x, weight, bias, statistics, chosen, True, [True] * 3)
        with self.assertRaisesRegex(ValueError, "even height and width"):
            ops.relu_pool(channels_last(x[:, :, :7]))

    def test_not_a_number_is_passed_on(self):
        for pooled in (False, True):
            x, weight, bias, mean, variance = drawn((2, 3, 4, 4))
            with torch.no_grad():
                x[1, 1, 2, 3] = float("nan")
            y = Fused.apply(x, weight, bias, mean, variance, True, 0.1, 1e-5, pooled)
            self.assertTrue(y[:, 1].isnan().all())
            self.assertFalse(y[:, [0, 2]].isnan().any())

    def test_the_same_bits_for_any_number_of_threads(self):
        before = torch.get_num_threads()
        for pooled in (False, True):
            seen = []
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                seen.append(results(Fused.apply, drawn((8, 19, 16, 16)), pooled))
            torch.set_num_threads(before)
            for other in seen[1:]:
                for name in NAMES:
                    self.assertTrue(torch.equal(seen[0][name], other[name]), name)


def plain_sum(x, weight, bias, other, mean, variance, training, momentum, epsilon):
    return torch.relu(functional.batch_norm(x, mean, variance, weight, bias, training, momentum, epsilon) + other)


class FusedSum(torch.autograd.Function):
    @staticmethod
    def forward(context, x, weight, bias, other, mean, variance, training, momentum, epsilon):
        y, statistics = ops.batch_norm_add_relu_forward_(
            x, weight, bias, other, mean, variance, training, momentum, epsilon
        )
        context.save_for_backward(x, y, weight, statistics)
        context.training = training
        return y

    @staticmethod
    def backward(context, gradient):
        x, y, weight, statistics = context.saved_tensors
        wanted = list(context.needs_input_grad[:3])
        parts = ops.batch_norm_add_relu_backward(
            channels_last(gradient), x, y, weight, statistics, context.training, wanted
        )
        return (*(part if is_wanted else None for part, is_wanted in zip(parts, [*wanted, True])), *[None] * 5)


class BatchNormAddRelu(Case):
    NAMES = ("output", "input", "weight", "bias", "other", "running mean", "running variance")

    def drawn(self, shape, affine=True):
        x, weight, bias, mean, variance = drawn(shape, affine)
        return x, weight, bias, channels_last(torch.randn(shape)).requires_grad_(), mean, variance

    def results(self, operator, inputs, training=True, rounded=None):
        *trained, mean, variance = inputs
        y = operator(*trained, mean, variance, training, 0.3, 1e-5)
        torch.manual_seed(7)
        leaves = [each for each in trained if each is not None and each.requires_grad]
        gradients = iter(torch.autograd.grad(y, leaves, torch.randn(y.shape).to(rounded).to(y.dtype)))
        found = [next(gradients) if each is not None and each.requires_grad else None for each in trained]
        return dict(zip(self.NAMES, (y.detach(), *found, mean, variance)))

    def test_values_and_gradients_are_those_of_float64(self):
        for shape in SHAPES:
            for affine, training in itertools.product((True, False), repeat=2):
                inputs = self.drawn(shape, affine)
                exact = self.results(plain_sum, widened(inputs), training)
                for name, found in self.results(FusedSum.apply, inputs, training).items():
                    if found is not None:
                        # A sum over a channel may cancel: then it is as good as its terms, about one each.
                        terms = inputs[0].numel() // shape[1] if name in ("weight", "bias") else 0
                        bound = 2e-6 * float(exact[name].abs().max()) + 1e-6 + terms * 2**-24
                        self.assert_within(found, exact[name], bound, name)

    def test_bfloat16_is_float32_rounded_where_it_is_written(self):
        for shape in SHAPES:
            for affine, training in itertools.product((True, False), repeat=2):
                x, weight, bias, other, mean, variance = self.drawn(shape, affine)

                def inputs(dtype):
                    images = (each.detach().bfloat16().to(dtype).requires_grad_() for each in (x, other))
                    return (next(images), weight, bias, next(images), mean.clone(), variance.clone())

                wide = self.results(FusedSum.apply, inputs(torch.float32), training, rounded=torch.bfloat16)
                narrow = self.results(FusedSum.apply, inputs(torch.bfloat16), training)
                for name, found in narrow.items():
                    if found is None:
                        continue
                    is_image = name in ("output", "input", "other")
                    self.assertEqual(found.dtype, torch.bfloat16 if is_image else torch.float32)
                    self.assertTrue(torch.equal(found, wide[name].to(found.dtype)), name)

    def test_only_what_is_wanted(self):
        for training in (True, False):
            every = self.results(FusedSum.apply, self.drawn((4, 3, 8, 8)), training)
            for at, name in enumerate(("input", "weight", "bias", "other")):
                inputs = self.drawn((4, 3, 8, 8))
                for i in range(4):
                    inputs[i].requires_grad_(i == at)
                self.assertTrue(torch.equal(self.results(FusedSum.apply, inputs, training)[name], every[name]), name)

    def test_not_a_number_is_passed_on(self):
        for at in (0, 3):
            inputs = self.drawn((2, 3, 4, 4))
            with torch.no_grad():
                inputs[at][1, 1, 2, 3] = float("nan")
            y = FusedSum.apply(*inputs, False, 0.1, 1e-5)
            self.assertTrue(y[1, 1, 2, 3].isnan())
            self.assertEqual(int(y.isnan().sum()), 1)
            (passed,) = torch.autograd.grad(y, inputs[3], torch.ones_like(y))
            self.assertEqual(float(passed[1, 1, 2, 3]), 1)

    def test_refuses_what_it_is_not_for_by_name(self):
        x, weight, bias, other, mean, variance = (each.detach() for each in self.drawn((4, 3, 8, 8)))

        def refuses(words, x=x, weight=weight, other=other, variance=variance, training=True):
            with self.assertRaisesRegex(ValueError, words):
                ops.batch_norm_add_relu_forward_(x, weight, bias, other, mean, variance, training, 0.1, 1e-5)

        refuses("channels-last float32 or bfloat16 images .* for input", x=x.double())
        refuses("channels-last float32 or bfloat16 images .* for other", other=other.contiguous())
        refuses("expected other to be Float .*4, 3, 8, 8.* as the input", other=other[:2])
        refuses("expected other to be Float", other=other.bfloat16())
        refuses("3 float32 values on the CPU for weight", weight=weight[:2])
        refuses("running_mean and running_var where training is off", variance=None, training=False)
        y, statistics = ops.batch_norm_add_relu_forward_(x, weight, bias, other, mean, variance, True, 0.1, 1e-5)

        def refuses_backward(words, gradient=y, y=y, statistics=statistics):
            with self.assertRaisesRegex(ValueError, words):
                ops.batch_norm_add_relu_backward(gradient, x, y, weight, statistics, True, [True] * 3)

        refuses_backward("a channels-last gradient in Float of shape", gradient=y.contiguous())
        refuses_backward("a channels-last gradient in Float of shape", gradient=y[:2])
        refuses_backward("expected output to be Float", y=y[:2])
        refuses_backward("statistics of the forward", statistics=statistics[:1])

    def test_the_same_bits_for_any_number_of_threads(self):
        before = torch.get_num_threads()
        seen = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            seen.append(self.results(FusedSum.apply, self.drawn((8, 19, 16, 16))))
        torch.set_num_threads(before)
        for other in seen[1:]:
            for name in self.NAMES:
                self.assertTrue(torch.equal(seen[0][name], other[name]), name)


class ReluPool(Case):
    def test_has_the_bits_of_torch(self):
        for shape in (*SHAPES, (3, 4, 16, 16)):
            if not is_even(shape):
                continue
            x = channels_last(torch.randn(shape))
            x[0, 0, 0, 0] = float("nan")
            x[0, 0, 1, 1] = float("inf")
            x[-1, -1] = -x[-1, -1].abs()
            expected = functional.max_pool2d(torch.relu(x), 2)
            self.assertTrue(torch.equal(ops.relu_pool(x).nan_to_num(-1), expected.nan_to_num(-1)))
            half = functional.max_pool2d(torch.relu(x.bfloat16()), 2)
            self.assertTrue(torch.equal(ops.relu_pool(x.bfloat16()).nan_to_num(-1), half.nan_to_num(-1)))


class AveragePool(Case):
    SIZES = ((1, 1), (2, 3), (3, 3), (7, 5), (9, 11))

    def test_has_the_values_of_torch(self):
        for shape, size in itertools.product(SHAPES, self.SIZES):
            x = channels_last(torch.randn(shape))
            expected = functional.adaptive_avg_pool2d(x.double(), size)
            y = ops.average_pool(x, *size)
            self.assertTrue(y.is_contiguous(memory_format=torch.channels_last))
            self.assertTrue(torch.allclose(y.double(), expected, rtol=1e-6, atol=1e-6))
            wide = ops.average_pool(x.bfloat16().float(), *size)
            self.assertTrue(torch.equal(ops.average_pool(x.bfloat16(), *size), wide.bfloat16()))

    def test_has_the_gradient_of_torch(self):
        for shape, size in itertools.product(SHAPES, self.SIZES):
            x = torch.randn(shape, dtype=torch.double, requires_grad=True)
            y = functional.adaptive_avg_pool2d(x, size)
            gradient = torch.randn(y.shape)
            (expected,) = torch.autograd.grad(y, x, gradient.double())
            found = ops.average_pool_backward(channels_last(gradient), *shape[2:])
            self.assertTrue(torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-5))
            half = channels_last(gradient).bfloat16()
            wide = ops.average_pool_backward(half.float(), *shape[2:])
            self.assertTrue(torch.equal(ops.average_pool_backward(half, *shape[2:]), wide.bfloat16()))

    def test_refuses_what_it_is_not_for(self):
        x = channels_last(torch.randn(2, 3, 4, 4))
        for call in (
            lambda: ops.average_pool(x.contiguous(), 2, 2),
            lambda: ops.average_pool(x.double(), 2, 2),
            lambda: ops.average_pool_backward(x[0], 4, 4),
        ):
            with self.assertRaisesRegex(ValueError, "channels-last float32 or bfloat16 images"):
                call()
        for call in (lambda: ops.average_pool(x, 0, 2), lambda: ops.average_pool(x[:0], 2, 2)):
            with self.assertRaisesRegex(ValueError, "above zero"):
                call()


if __name__ == "__main__":
    main()
