"""What the races 'ntl' and 'map' share: digits of two domains, and a network trained on one of them."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import nets
from shuffle import permutation

FIT, SELECT = 4096, 1024
SEED = 1


class Samples:
    """3 x 32 x 32, bytes in memory: the first to learn from, those behind them to measure on."""

    def __init__(self, name):
        folder = Path(os.environ.get("ESPALIER_DATA", "data")) / name
        images = torch.from_numpy(np.load(folder / "fit-images.npy", mmap_mode="r")[: FIT + SELECT].copy())
        labels = torch.from_numpy(np.load(folder / "fit-labels.npy")[: FIT + SELECT].astype(np.int64))
        self.all = nn.functional.pad(images, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous()
        self.images, self.labels = self.all[:FIT], labels[:FIT]
        self.select = self.all[FIT:], labels[FIT:]

    def batches(self, batch, steps, *purpose):
        """The batches that our side draws; their order is known before the first is asked for."""
        each = FIT // batch
        orders = [permutation(FIT, SEED, *purpose, "shuffle", epoch) for epoch in range(-(-steps // each))]
        chosen = torch.stack(orders).view(-1, batch)[:steps]
        return ((self.images[at].float().div_(255), self.labels[at]) for at in chosen)

    @torch.inference_mode()
    def accuracy(self, net, batch=256):
        images, labels = self.select
        net.eval()
        hits = sum(
            (net(images[i : i + batch].float().div_(255)).argmax(1) == labels[i : i + batch]).sum()
            for i in range(0, SELECT, batch)
        )
        return hits.item() / SELECT


def trained(name, source):
    """A network of nets.py after two epochs on the source."""
    torch.manual_seed(SEED)
    net = getattr(nets, name)()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    for images, labels in source.batches(64, 2 * FIT // 64, "train"):
        optimizer.zero_grad()
        cross_entropy(net(images), labels).backward()
        optimizer.step()
    return net
