"""A process that imports torch, loads a scripted ResNet-18, and asks it once. The time is that of the process.

argument: FILE
"""

import torch
from common import ARGUMENTS, tell

model = torch.jit.load(ARGUMENTS[0]).eval()
with torch.inference_mode():
    logits = model(torch.full((1, 3, 32, 32), 0.5))
tell(None, float(logits.square().sum()))
