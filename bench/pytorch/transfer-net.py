"""Writes the network of the transfer experiments, scripted: conv16-BN-pool-conv32-BN-pool-conv64-BN for 3 x 32 x 32,
then a pool to 3 x 3 and a linear head.

usage: transfer-net.py OUT SEED
"""

import sys

import torch
from torch import nn

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1, bias=False),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(3),
    nn.Flatten(),
    nn.Linear(64 * 9, 10),
)
torch.jit.script(net).save(out)
