"""Writes the network of the digits experiments: conv16-BN-pool-conv32-BN-pool-FC128-FC10 for 1 x 28 x 28, scripted.

usage: digits-net.py OUT SEED
"""

import sys

import torch
from torch import nn

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 128),
    nn.ReLU(),
    nn.Linear(128, 10),
)
torch.jit.script(net).save(out)
