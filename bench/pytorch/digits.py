"""What the races 'ntl' and 'map' share: digits of two domains, and a network trained on one of them."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import nets
from shuffle import permutation

SEED = 1


class Samples:
    """3 x 32 x 32, bytes in memory: the first `fit` to learn from, `select` behind them to measure on."""

    def __init__(self, name, fit=4096, select=1024):
        folder = Path(os.environ.get("ESPALIER_DATA", "data")) / name
        images = torch.from_numpy(np.load(folder / "fit-images.npy", mmap_mode="r")[: fit + select].copy())
        labels = torch.from_numpy(np.load(folder / "fit-labels.npy")[: fit + select].astype(np.int64))
        here = torch.get_default_device()
        self.all = nn.functional.pad(images, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous().to(here)
        labels = labels.to(here)
        self.fit = fit
        self.images, self.labels = self.all[:fit], labels[:fit]
        self.select = self.all[fit:], labels[fit:]

    def batches(self, batch, steps, *purpose):
        """The batches that our side draws; their order is known before the first is asked for."""
        each = self.fit // batch
        orders = [permutation(self.fit, SEED, *purpose, "shuffle", epoch) for epoch in range(-(-steps // each))]
        chosen = torch.stack(orders).view(-1, batch)[:steps]
        return ((self.images[at].float().div_(255), self.labels[at]) for at in chosen)

    @torch.inference_mode()
    def accuracy(self, net, batch=256):
        images, labels = self.select
        net.eval()
        hits = sum(
            (net(images[i : i + batch].float().div_(255)).argmax(1) == labels[i : i + batch]).sum()
            for i in range(0, len(labels), batch)
        )
        return hits.item() / len(labels)


def trained(name, source):
    """A network of nets.py after two epochs on the source."""
    torch.manual_seed(SEED)
    net = getattr(nets, name)()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    for images, labels in source.batches(64, 2 * source.fit // 64, "train"):
        optimizer.zero_grad()
        cross_entropy(net(images), labels).backward()
        optimizer.step()
    return net
