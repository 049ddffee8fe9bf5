"""What the PyTorch sides share: data, a network equal to ours, and the line that they print."""

import hashlib
import json
import platform
import resource
import sys

import torch
from torch import nn

THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)
SEED = 1
torch.manual_seed(SEED)


def tell(ms, check, data=None):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    digest = None if data is None else hashlib.sha256(data.numpy().tobytes()).hexdigest()
    trial = {"ms": ms, "check": check, "peakMegabytes": peak, "versions": versions, "seed": SEED, "data": digest}
    print(json.dumps(trial))


def images(count, classes=10, size=32):
    """Stripes whose direction and spacing say the class: bytes, the same on both sides."""
    i = torch.arange(count).view(-1, 1, 1, 1)
    c = torch.arange(3).view(1, -1, 1, 1)
    y = torch.arange(size).view(1, 1, -1, 1)
    x = torch.arange(size).view(1, 1, 1, -1)
    label = i % classes
    pattern = (x * (label + 1) + y * (label * 2 + 1) + c * 7 + (i * 31) % 17) % 23 * 11
    return pattern.to(torch.uint8), label.flatten()


def block(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]


def convnet(widths=(32, 64, 128), classes=10):
    layers = []
    for inputs, outputs in zip((3, *widths), widths):
        layers += block(inputs, outputs)
    # The last block of ours has no pooling before the average over space.
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))
