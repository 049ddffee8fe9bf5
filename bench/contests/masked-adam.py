"""Adam under masks: 10 % kept."""

import torch
from contest import arguments
from masked import adam, race

race(arguments(), lambda p: torch.optim.Adam(p, lr=1e-3, fused=True), adam, 28)
