"""Writes a network of nets.py with fresh weights, scripted.

usage: fresh-net.py OUT NAME SEED
"""

import sys

import torch

import nets

out, name, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.manual_seed(seed)
torch.jit.script(getattr(nets, name)()).save(out)
