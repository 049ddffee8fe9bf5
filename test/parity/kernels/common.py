"""What the tests of the operators share. Each topic is a script of unittest cases that ends with main()."""

import sys
import unittest
from pathlib import Path

import torch

torch.ops.load_library(str(Path(__file__).resolve().parents[3] / "build/Release/libespalier_ops.so"))
ops = torch.ops.espalier

# Nothing, one element, less than a vector, one more than a block of sums, more than a chunk.
SIZES = (0, 1, 15, 1025, 16384 + 17)
HALF_TYPES = (torch.float16, torch.bfloat16)
EFFECTIVE_TYPES = (torch.float32, *HALF_TYPES)
EPSILON = {torch.float32: 2.0**-24, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(seed, sizes=SIZES, dtype=torch.float32):
    random = generator(seed)
    return [torch.randn(size, generator=random, dtype=torch.float64).to(dtype) for size in sizes]


def masks_of(seed, tensors, kept=0.5):
    random = generator(seed)
    return [torch.rand(t.shape, generator=random) < kept for t in tensors]


def copies(tensors):
    return [t.clone() for t in tensors]


def zeros(tensors):
    return [torch.zeros_like(t) for t in tensors]


def doubles(tensors):
    return [t.double() for t in tensors]


class Case(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)

    def assert_within(self, found, expected, bound, what=""):
        """|found - expected| <= bound, each a tensor or a number; NaN is never within."""
        found, expected, bound = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected, bound))
        error = (found - expected).abs()
        bad = ~(error <= bound)
        if bad.any():
            worst = (error / bound.clamp_min(1e-300)).nan_to_num(torch.inf).argmax()
            self.fail(
                f"{what}: {int(bad.sum())} of {bad.numel()} outside, the worst {float(found.flatten()[worst])} "
                f"for {float(expected.flatten()[worst])}, off by {float(error.flatten()[worst])}"
            )

    def assert_same(self, found, expected, what=""):
        """The same type, shape and bits, but for the sign of zero."""
        self.assertEqual(found.dtype, expected.dtype, what)
        self.assertTrue(torch.equal(found, expected), what)

    def assert_zero(self, tensor, where, what=""):
        self.assertEqual(int(torch.count_nonzero(tensor[where])), 0, what)


def main():
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2)
    unittest.main(module="__main__", testRunner=runner)
