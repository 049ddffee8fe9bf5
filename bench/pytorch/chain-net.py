"""Writes a chain of small linear layers, scripted.

usage: chain-net.py OUT LAYERS
"""

import sys

import torch
from torch import nn

out, count = sys.argv[1], int(sys.argv[2])
layers = [layer for _ in range(count) for layer in (nn.Linear(16, 16), nn.ReLU())]
torch.jit.script(nn.Sequential(*layers)).save(out)
