"""Writes the network of the experiments on barriers without batch norm, scripted.

usage: plain-net.py OUT SEED
"""

import sys

import torch

from nets import plain

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
torch.jit.script(plain()).save(out)
