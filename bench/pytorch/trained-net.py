"""Writes the network that the races 'ntl' and 'map' start from, scripted.

usage: trained-net.py OUT NET THREADS
"""

import sys

import torch

from digits import Samples, trained

out, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
torch.jit.script(trained(name, Samples("mnist"))).save(out)
