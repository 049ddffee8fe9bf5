"""SGD with momentum under masks: 10 % kept."""

import torch
from contest import arguments
from masked import race, sgd

race(arguments(), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True), sgd, 20)
