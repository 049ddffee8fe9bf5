"""torch.nn.utils.prune.global_unstructured on the weights of a ResNet-18 for 32 x 32 images."""

import torch
from common import milliseconds, now, tell
from torch import nn
from torch.nn.utils import prune

SHAPES = [(64, 3, 3, 3)] + [(64, 64, 3, 3)] * 4
for before, after in ((64, 128), (128, 256), (256, 512)):
    SHAPES += [(after, before, 3, 3), (after, after, 3, 3), (after, before, 1, 1)] + [(after, after, 3, 3)] * 2

layers = []
for out, inp, k, _ in SHAPES:
    layers.append(nn.Conv2d(inp, out, k, bias=False))
layers.append(nn.Linear(512, 10))
total = sum(layer.weight.numel() for layer in layers)
start = now()
prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=round(total * 0.9))
for layer in layers:
    prune.remove(layer, "weight")
tell(milliseconds(start), sum(int((layer.weight == 0).sum()) for layer in layers))
