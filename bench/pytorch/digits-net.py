"""Writes the network of the digits experiments: conv16-BN-pool-conv32-BN-pool-FC128-FC10 for 1 x 28 x 28, scripted.

usage: digits-net.py OUT SEED
"""

import sys

import torch

from nets import digits

out, seed = sys.argv[1], int(sys.argv[2])
torch.manual_seed(seed)
torch.jit.script(digits()).save(out)
