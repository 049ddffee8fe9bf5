"""A contest: several ways to do the same, in one process, interleaved, from the same inputs.

A script calls arguments(), builds its sides (name -> function without arguments that does one round) and tells
the outcome as one line of JSON. The first call of a side is not timed; what it adds to the process's peak is told.
"""

import argparse
import ctypes
import json
import platform
import time
from pathlib import Path

import torch

torch.ops.load_library(str(Path(__file__).resolve().parents[2] / "build/Release/libespalier_ops.so"))
ops = torch.ops.espalier
SEED = 1

# ResNet-18 for 32 x 32 images: 20 convolutions and a classifier, 11.16 M weights in 21 tensors.
RESNET18 = [(64, 3, 3, 3)] + [(64, 64, 3, 3)] * 4
for before, after in ((64, 128), (128, 256), (256, 512)):
    RESNET18 += [(after, before, 3, 3), (after, after, 3, 3), (after, before, 1, 1)] + [(after, after, 3, 3)] * 2
RESNET18 += [(10, 512)]
TINY = [(8, 3, 3, 3), (16, 8, 1, 1), (10, 16)]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, help="timed rounds a side; each script has its own default")
    parser.add_argument("--tiny", action="store_true", help="a few weights, and nothing compiled: does it run?")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(SEED)
    return given


def weights_of(shapes):
    return [torch.randn(shape) * (2 / max(1, torch.Size(shape[1:]).numel())) ** 0.5 for shape in shapes]


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def growth(side):
    """MiB by which a call raises the process's memory at most, its results included."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    side()
    return status("VmHWM") - before


def contest(sides, rounds, once=()):
    """Milliseconds of each side, a list; those named in `once` are too slow for more than one round."""
    grown = {name: growth(side) for name, side in sides.items() if name not in once}
    times = {name: [] for name in sides}
    names = list(sides)
    for i in range(rounds):
        # Another one begins each time: nobody always runs after the same.
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if name in once and times[name]:
                continue
            start = time.perf_counter()
            sides[name]()
            times[name].append((time.perf_counter() - start) * 1e3)
    return times, grown


def furthest(found, expected):
    """The largest difference of two lists of tensors, over the largest value of each tensor."""
    return max(
        float((f.double() - e.double()).abs().max() / e.double().abs().max().clamp_min(1e-30))
        for f, e in zip(found, expected, strict=True)
    )


def tell(times, grown, difference, tolerance, weights, bytes_moved=None, left_out=None):
    print(
        json.dumps(
            {
                "times": times,
                "grownMegabytes": grown,
                "agreement": {"difference": difference, "tolerance": tolerance},
                "weights": weights,
                "bytesMoved": bytes_moved or {},
                "leftOut": left_out or {},
                "instructionSet": ops.instruction_set(),
                "versions": {"torch": torch.__version__, "python": platform.python_version()},
                "seed": SEED,
            }
        )
    )
