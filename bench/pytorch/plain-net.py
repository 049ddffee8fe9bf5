"""Writes the network of the experiments on barriers without batch norm, scripted: conv16-pool-conv32-pool-conv64-pool
for 3 x 32 x 32, then linear layers of 64 and 10.

usage: plain-net.py OUT SEED
"""

import sys

import torch
from torch import nn

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64 * 16, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
torch.jit.script(net).save(out)
