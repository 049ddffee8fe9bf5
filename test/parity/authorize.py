"""What the tests of protecting and attacking need of stock PyTorch.

models FOLDER   writes frozen.pt, bare.pt (no layer with parameters), broken.pt (a weight is NaN) and dropout.pt:
                1 x 8 x 8 images, four classes
read FOLDER     prints { logits, zeros } of locked.pt: of the images in images.f32, as base64 of float32, and the
                number of zeros by parameter
"""

import base64
import json
import os
import sys

import numpy as np
import torch
from torch import nn


class ConvNet(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(6 * 4 * 4, 4)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.fc(self.drop(torch.flatten(x, 1)))


class Bare(nn.Module):
    def forward(self, x):
        return torch.flatten(nn.functional.adaptive_avg_pool2d(x, 2), 1)


def write_models(folder):
    torch.manual_seed(1)
    plain = torch.jit.script(ConvNet(0.0).eval())
    torch.jit.freeze(plain).save(os.path.join(folder, "frozen.pt"))
    torch.jit.script(Bare()).save(os.path.join(folder, "bare.pt"))
    torch.jit.script(ConvNet(0.4)).save(os.path.join(folder, "dropout.pt"))
    broken = ConvNet(0.0)
    broken.conv.weight.data[0, 0, 0, 0] = float("nan")
    torch.jit.script(broken).save(os.path.join(folder, "broken.pt"))


@torch.no_grad()
def read(folder):
    model = torch.jit.load(os.path.join(folder, "locked.pt")).eval()
    images = np.fromfile(os.path.join(folder, "images.f32"), dtype=np.float32).reshape(-1, 1, 8, 8)
    logits = model(torch.from_numpy(images)).contiguous().numpy()
    zeros = {name: int((value == 0).sum()) for name, value in model.named_parameters()}
    print(json.dumps({"logits": base64.b64encode(logits.tobytes()).decode(), "zeros": zeros}))


command, folder = sys.argv[1:]
{"models": write_models, "read": read}[command](folder)
