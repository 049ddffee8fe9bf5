"""8,192 images through a network in plain eager PyTorch, in memory, with the figures that ours reports."""

import time

import torch
from common import convnet, images, tell
from torch import nn

COUNT, BATCH, CLASSES = 8192, 256, 10
data, labels = images(COUNT)
model = convnet().eval()
with torch.inference_mode():
    model(data[:256].float() / 255)
    start = time.perf_counter()
    confusion = torch.zeros(CLASSES * CLASSES, dtype=torch.long)
    loss = torch.zeros((), dtype=torch.double)
    for i in range(0, COUNT, BATCH):
        logits = model(data[i : i + BATCH].float() / 255)
        target = labels[i : i + BATCH]
        confidence, prediction = logits.softmax(1).max(1)
        confusion += torch.bincount(target * CLASSES + prediction, minlength=CLASSES * CLASSES)
        loss += nn.functional.cross_entropy(logits, target, reduction="sum")
    ms = (time.perf_counter() - start) * 1000
tell(ms, int(confusion.sum()), data)
