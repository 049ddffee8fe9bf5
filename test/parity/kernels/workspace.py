"""What exact selection needs beside its masks, by the process's peak memory.

workspace.py COUNT THREADS CUT_SHARE   prints bytes: of finding the threshold, which is done before there are masks,
                                       and of the whole selection without its masks
"""

import ctypes
import json
import sys

import torch
from common import ops

# What is large comes from the system and goes back to it at once: no freed memory hides an allocation.
M_MMAP_THRESHOLD = -3
LIBC = ctypes.CDLL(None)
LIBC.mallopt(M_MMAP_THRESHOLD, 1 << 15)

COUNT, THREADS, SHARE = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


torch.set_num_threads(THREADS)
tensors = list(torch.empty(COUNT).normal_().split(COUNT // 30))
# Warm: threads, allocator and code are there.
ops.select_lowest([torch.randn(1 << 21)], 1 << 20)


def growth(call):
    """By how much the process's memory grew at most during a call, and what it returned."""
    LIBC.malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew from here
    before = status("VmRSS")
    result = call()
    return status("VmHWM") - before, result


threshold, _ = growth(lambda: ops.kth_magnitude(tensors, round(COUNT * SHARE)))
selection, masks = growth(lambda: ops.select_lowest(tensors, round(COUNT * SHARE)))
print(json.dumps([threshold, selection - sum(m.numel() for m in masks)]))
