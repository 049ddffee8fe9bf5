"""Three models on four domains, with the figures that ours reports: by a DataLoader; with the data in memory; and in memory
with each model frozen by torch.jit.freeze.

argument: loader|eager|frozen
"""

import torch
from common import ARGUMENTS, SIZE, images, milliseconds, now, tell
from torch import nn
from torch.utils.data import DataLoader, Dataset

import nets

(form,) = ARGUMENTS
COUNT, BATCH, CLASSES = (8192 if SIZE == "full" else 2048), 256, 10
data, labels = images(COUNT)
domains = [data, 255 - data, data // 2, 255 - data // 2]


class Images(Dataset):
    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        return self.data[i].float() / 255, labels[i]


def in_memory(data):
    for i in range(0, COUNT, BATCH):
        yield data[i : i + BATCH].float() / 255, labels[i : i + BATCH]


def batches(data):
    return DataLoader(Images(data), batch_size=BATCH) if form == "loader" else in_memory(data)


def model_of(seed):
    torch.manual_seed(seed)
    net = nets.convnet().eval()
    if form != "frozen":
        return net
    frozen = torch.jit.freeze(torch.jit.script(net))
    for _ in range(3):  # it optimises itself in the first calls
        frozen(domains[0][:BATCH].float() / 255)
    return frozen


with torch.inference_mode():
    models = [model_of(seed) for seed in (1, 2, 3)]
    models[0](data[:BATCH].float() / 255)
    right = 0
    start = now()
    for model in models:
        for domain in domains:
            confusion = torch.zeros(CLASSES * CLASSES, dtype=torch.long)
            loss = torch.zeros((), dtype=torch.double)
            for inputs, target in batches(domain):
                logits = model(inputs)
                confidence, prediction = logits.softmax(1).max(1)
                confusion += torch.bincount(target * CLASSES + prediction, minlength=CLASSES * CLASSES)
                loss += nn.functional.cross_entropy(logits, target, reduction="sum")
            right += int(confusion.view(CLASSES, CLASSES).diagonal().sum())
    ms = milliseconds(start)
tell(ms, right, torch.cat(domains))
