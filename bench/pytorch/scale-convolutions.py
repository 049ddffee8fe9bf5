"""Multiplies the convolutions before batch norms by a factor, and the norms' statistics with them: the function
that the evaluated network computes stays the same.

usage: scale-convolutions.py IN OUT FACTOR
"""

import sys

import torch

source, out, factor = sys.argv[1], sys.argv[2], float(sys.argv[3])
net = torch.jit.load(source)
with torch.no_grad():
    for name, parameter in net.named_parameters():
        if parameter.dim() == 4:
            parameter.mul_(factor)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.mul_(factor)
        elif name.endswith("running_var"):
            buffer.mul_(factor * factor)
net.save(out)
