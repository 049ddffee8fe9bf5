"""What the PyTorch sides share: the arguments THREADS DEVICE SIZE [ARGUMENT ...], data, and the line that they print."""

import hashlib
import json
import os
import platform
import resource
import sys
import time

import torch

THREADS, DEVICE, SIZE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ARGUMENTS = sys.argv[4:]
SEED = 1
VERSIONS = {"torch": torch.__version__, "python": platform.python_version()}
torch.set_num_threads(THREADS)
torch.manual_seed(SEED)
if DEVICE != "cpu":
    torch.set_default_device(DEVICE)


def now():
    """Seconds, with all that the device was given done. The first call begins what is timed."""
    if DEVICE != "cpu":
        torch.cuda.synchronize()
    if "ESPALIER_BENCH_PROFILE" in os.environ:
        print("timed", flush=True)
    return time.perf_counter()


def milliseconds(start):
    return (now() - start) * 1000


def timed_steps(make, source, batch, steps, *purpose):
    """Milliseconds of steps, those of a run with one more less those of a run of one, as our side has them; and the mean
    loss of the longer one. `make` gives what has a `step`."""

    def run(count):
        training = make()
        batches = source.batches(batch, count, *purpose)
        start = now()
        losses = torch.zeros(())
        for inputs, labels in batches:
            losses += training.step(inputs.contiguous(memory_format=torch.channels_last), labels)
        return milliseconds(start), losses.item() / count

    once, _ = run(1)
    ms, loss = run(steps + 1)
    return ms - once, loss


def tell(ms, check, data=None, compile_seconds=None):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    digest = None if data is None else hashlib.sha256(data.cpu().numpy().tobytes()).hexdigest()
    trial = {"ms": ms, "check": check, "peakMegabytes": peak, "versions": VERSIONS, "seed": SEED, "data": digest}
    print(json.dumps(trial if compile_seconds is None else trial | {"compileSeconds": compile_seconds}))


def leave_out(error):
    """In place of a trial, where this side cannot run here."""
    print(json.dumps({"leftOut": str(error).strip().splitlines()[0]}))


def images(count, classes=10, size=32):
    """Stripes whose direction and spacing say the class: bytes, the same on both sides."""
    i = torch.arange(count).view(-1, 1, 1, 1)
    c = torch.arange(3).view(1, -1, 1, 1)
    y = torch.arange(size).view(1, 1, -1, 1)
    x = torch.arange(size).view(1, 1, 1, -1)
    label = i % classes
    pattern = (x * (label + 1) + y * (label * 2 + 1) + c * 7 + (i * 31) % 17) % 23 * 11
    return pattern.to(torch.uint8), label.flatten()
