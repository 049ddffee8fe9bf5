"""Steps of supervised training of a network of nets.py, data in memory as bytes, the fused optimiser, channels-last:
eager, or compiled by torch.compile, which is timed apart.

arguments: NET PRECISION STEPS FORM
"""

import torch
from common import ARGUMENTS, DEVICE, SEED, leave_out, now, tell, timed_steps
from torch.nn.functional import cross_entropy

import nets
from digits import Samples

name, precision, steps, form = ARGUMENTS
# Larger, and rounding alone drives two trainings of the deep one apart.
RATE = 0.0003 if name == "resnet18" else 0.05
half = precision == "bfloat16"
STEPS = int(steps)
BATCH, SELECT = (32, 128) if name == "resnet18" else (128, 512)
source = Samples("mnist", (STEPS + 1) * BATCH, SELECT)


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


def compile_seconds():
    """What the first step takes; what was compiled is kept for the same shapes."""
    start = now()
    Training().step(source.images[:BATCH].float() / 255, source.labels[:BATCH])
    return now() - start


def main():
    seconds = compile_seconds()
    ms, loss = timed_steps(Training, source, BATCH, STEPS, "train", 1, "train", 0, 0)
    tell(ms, loss, source.all, seconds if form == "compiled" else None)


try:
    main()
except Exception as error:  # no compiler, or one that this torch cannot use
    if form != "compiled":
        raise
    leave_out(error)
