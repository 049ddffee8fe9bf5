"""Supervised training of a network of nets.py, data in memory as bytes, the fused optimiser, channels-last, an evaluation
an epoch: eager, or compiled by torch.compile, which is timed apart.

arguments: NET PRECISION FORM
"""

import torch
from common import ARGUMENTS, DEVICE, SEED, leave_out, milliseconds, now, tell
from torch.nn.functional import cross_entropy

import nets
from digits import Samples

name, precision, form = ARGUMENTS
FIT, SELECT, BATCH, EPOCHS = (512, 128, 32, 1) if name == "resnet18" else (2048, 512, 128, 1)
# Larger, and rounding alone drives two trainings of the deep one apart.
RATE = 0.001 if name == "resnet18" else 0.05
half = precision == "bfloat16"
source = Samples("mnist", FIT, SELECT)


class Training:
    def __init__(self):
        torch.manual_seed(SEED)
        self.net = getattr(nets, name)().to(memory_format=torch.channels_last)
        self.forward = torch.compile(self.net) if form == "compiled" else self.net
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=RATE, momentum=0.9, fused=True)

    def loss(self, inputs, labels):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=half):
            logits = self.forward(inputs.contiguous(memory_format=torch.channels_last))
        return cross_entropy(logits.float(), labels)

    def step(self, inputs, labels):
        self.optimizer.zero_grad()
        loss = self.loss(inputs, labels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def accuracy(self, batch=128):
        images, labels = source.select
        self.net.eval()
        hits = 0
        for i in range(0, SELECT, batch):
            with torch.autocast(DEVICE, torch.bfloat16, enabled=half):
                x = images[i : i + batch].float().div_(255).contiguous(memory_format=torch.channels_last)
                hits += (self.forward(x).argmax(1) == labels[i : i + batch]).sum()
        self.net.train()
        return hits.item() / SELECT


def compile_seconds():
    """What the first step and the first evaluation take; what was compiled is kept for the same shapes."""
    start = now()
    warm = Training()
    warm.step(source.images[:BATCH].float() / 255, source.labels[:BATCH])
    warm.accuracy()
    return (now() - start)


def main():
    seconds = compile_seconds()
    training = Training()
    steps = EPOCHS * FIT // BATCH
    batches = source.batches(BATCH, steps, "train", 1, "train", 0, 0)
    start = now()
    losses = torch.zeros(())
    for step, (inputs, labels) in enumerate(batches, 1):
        losses += training.step(inputs, labels)
        if step % (FIT // BATCH) == 0:
            training.accuracy()
    ms = milliseconds(start)
    tell(ms, losses.item() / steps, source.all, seconds if form == "compiled" else None)


try:
    main()
except Exception as error:  # no compiler, or one that this torch cannot use
    if form != "compiled":
        raise
    leave_out(error)
