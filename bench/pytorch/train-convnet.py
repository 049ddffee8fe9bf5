"""Two epochs of SGD in plain eager PyTorch: data in memory as bytes, the fused optimiser, an evaluation an epoch."""

import math
import time

import torch
from common import convnet, images, tell
from torch import nn

COUNT, BATCH, EPOCHS, RATE = 4096, 128, 2, 0.05
data, labels = images(COUNT)
model = convnet()
optimizer = torch.optim.SGD(
    model.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
)
steps = EPOCHS * COUNT // BATCH


def accuracy():
    model.eval()
    with torch.inference_mode():
        hits = sum(
            int((model(data[i : i + 256].float() / 255).argmax(1) == labels[i : i + 256]).sum())
            for i in range(0, COUNT, 256)
        )
    model.train()
    return hits / COUNT


start = time.perf_counter()
step = 0
for _ in range(EPOCHS):
    order = torch.randperm(COUNT)
    for i in range(0, COUNT, BATCH):
        batch = order[i : i + BATCH]
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data[batch].float() / 255), labels[batch]).backward()
        optimizer.step()
        step += 1
    found = accuracy()
tell((time.perf_counter() - start) * 1000, found, data)
