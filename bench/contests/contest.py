"""A contest: several ways to do the same, in one process, interleaved, from the same inputs.

A script calls arguments(), builds its sides (name -> function without arguments that does one round) and tells
the outcome as one line of JSON. The first call of a side is not timed; what it adds to the process's peak is told, on
CUDA to the allocator's.
"""

import argparse
import ctypes
import json
import platform
import sys
import time
from pathlib import Path

import torch

LIBRARIES = Path(__file__).resolve().parents[2] / "build/Release"
sys.path.append(str(LIBRARIES.parents[1] / "bench/pytorch"))
torch.ops.load_library(str(LIBRARIES / "libespalier_ops.so"))
ops = torch.ops.espalier
SEED = 1

# ResNet-18 for 32 x 32 images: 20 convolutions and a classifier, 11.16 M weights in 21 tensors.
RESNET18 = [(64, 3, 3, 3)] + [(64, 64, 3, 3)] * 4
for before, after in ((64, 128), (128, 256), (256, 512)):
    RESNET18 += [(after, before, 3, 3), (after, after, 3, 3), (after, before, 1, 1)] + [(after, after, 3, 3)] * 2
RESNET18 += [(10, 512)]
TINY = [(8, 3, 3, 3), (16, 8, 1, 1), (10, 16)]
TENSORS = 50  # of a network of so many million weights


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--millions", type=int, help="of weights in 50 tensors; by default those of a ResNet-18")
    parser.add_argument("--rounds", type=int, help="timed rounds a side; each script has its own default")
    parser.add_argument("--full", action="store_true", help="larger grids")
    parser.add_argument("--tiny", action="store_true", help="a few weights, and nothing compiled: does it run?")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.device == "cuda":
        torch.ops.load_library(str(LIBRARIES / "libespalier_ops_cuda.so"))
        torch.set_default_device("cuda")
    torch.manual_seed(SEED)
    return given


def shapes_of(given):
    if given.tiny:
        return TINY
    return [(given.millions * 1_000_000 // TENSORS // 1000, 1000)] * TENSORS if given.millions else RESNET18


def weights_of(shapes):
    return [torch.randn(shape) * (2 / max(1, torch.Size(shape[1:]).numel())) ** 0.5 for shape in shapes]


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def growth(side):
    """MiB by which a call raises the memory in use at most, its results included."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        side()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
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
            times[name].append(timed(sides[name]))
    return times, grown


def timed(side):
    """Milliseconds; on CUDA between two events of the stream."""
    if torch.get_default_device().type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        side()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)
    start = time.perf_counter()
    side()
    return (time.perf_counter() - start) * 1e3


def furthest(found, expected):
    """The largest difference of two lists of tensors, over the largest value of each tensor."""
    return max(
        float((f.double() - e.double()).abs().max() / e.double().abs().max().clamp_min(1e-30))
        for f, e in zip(found, expected, strict=True)
    )


def versions():
    return {"torch": torch.__version__, "python": platform.python_version()}


def tell(times, grown, difference, tolerance, weights, bytes_moved=None, left_out=None, compile_seconds=None):
    print(
        json.dumps(
            {
                "compileSeconds": compile_seconds or {},
                "times": times,
                "grownMegabytes": grown,
                "agreement": {"difference": difference, "tolerance": tolerance},
                "weights": weights,
                "bytesMoved": bytes_moved or {},
                "leftOut": left_out or {},
                "instructionSet": ops.instruction_set(),
                "versions": versions(),
                "seed": SEED,
            }
        )
    )
