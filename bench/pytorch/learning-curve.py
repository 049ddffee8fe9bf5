"""Sample-wise learning curves and those of fresh weights, one training after the other, in plain eager PyTorch."""

import copy

import torch
from common import SIZE, images, milliseconds, now, tell
from nets import convnet
from ntp import Samples
from torch.nn.functional import cross_entropy

COUNTS, STEPS, BATCH = (15, 60, 250, 1000, 4000), 150, 32
MODELS, SEEDS = (3, 3) if SIZE == "full" else (1, 1)
data, labels = images(4096)
everything = Samples(data, labels)
given = convnet((16, 32, 64))
kept = [p.detach().abs() > p.detach().abs().median() if p.dim() == 4 else None for p in given.parameters()]
with torch.no_grad():
    for parameter, mask in zip(given.parameters(), kept):
        if mask is not None:
            parameter *= mask


def train(net, samples, masks):
    """Images that it saw."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    masked = [(p, m) for p, m in zip(net.parameters(), masks) if m is not None]
    batches = samples.batches(min(BATCH, len(samples.labels)))
    seen = 0
    for _ in range(STEPS):
        inputs, answers = next(batches)
        optimizer.zero_grad()
        cross_entropy(net(inputs), answers).backward()
        optimizer.step()
        with torch.no_grad():
            for parameter, mask in masked:
                parameter *= mask
        seen += len(answers)
    return seen


start = now()
seen = 0
for count in COUNTS * MODELS * SEEDS:
    samples = Samples(data[:count], labels[:count])
    for net, masks in ((copy.deepcopy(given), kept), (convnet((16, 32, 64)), [None] * len(kept))):
        seen += train(net, samples, masks)
        everything.accuracy(net)
tell(milliseconds(start), seen, data)
