"""Writes the network of the transfer experiments, scripted.

usage: transfer-net.py OUT SEED
"""

import sys

import torch

from nets import transfer

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
torch.jit.script(transfer()).save(out)
