"""Mask pruning (MAP, Peng et al., CVPR 2024, arXiv 2403.04149) where the source is available, in plain eager PyTorch:
the reference of the parity test, and the other side of the race 'map'.
"""

import copy

import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

LOWEST, HIGHEST = -0.02, 0.03


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(context, scores, threshold):
        return (scores > threshold).to(scores.dtype)

    @staticmethod
    def backward(context, gradient):
        return gradient, None


class MaskLearning:
    """Learns a mask over the weights of `net` that have two dimensions or more; the net itself stays as it is."""

    def __init__(self, net, options):
        self.net, self.o = net.eval().requires_grad_(False), options
        self.weights = {name: value for name, value in net.named_parameters() if value.dim() > 1}
        self.scores = {
            name: torch.full_like(value, options["scoreStart"]).requires_grad_() for name, value in self.weights.items()
        }
        self.optimizer = torch.optim.Adam(self.scores.values(), options["learningRate"], fused=True)

    def masked(self):
        threshold = self.o["threshold"]
        return {
            name: weight * StraightThrough.apply(self.scores[name], threshold) for name, weight in self.weights.items()
        }

    def step(self, source, target):
        """One update of the scores; its figures, as tensors."""
        n = len(source[1])
        logits = functional_call(self.net, self.masked(), (torch.cat([source[0], target[0]]),))
        source_loss = cross_entropy(logits[:n], source[1])
        target_losses = cross_entropy(logits[n:], target[1], reduction="none")
        target_loss = target_losses.mean()
        capped = target_losses if self.o["capOver"] == "sample" else target_loss
        loss = source_loss - (self.o["lambda"] * capped).clamp(max=self.o["beta"]).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_clamp_min_(list(self.scores.values()), LOWEST)
            torch._foreach_clamp_max_(list(self.scores.values()), HIGHEST)
        return {"sourceLoss": source_loss.detach(), "targetLoss": target_loss.detach()}


# --- The race


def race(name):
    """Learns a mask over a network; the line of the trial tells how many weights it cuts."""
    from common import milliseconds, now, tell
    from digits import Samples, trained

    o = OPTIONS
    source, target = Samples("mnist"), Samples("mnist-m")
    # Convolutions and pools are faster so.
    net = trained(name, source).to(memory_format=torch.channels_last)
    pairs = [
        domain.batches(o["batchSize"], o["steps"], "train", 1, "mask", 0, i)
        for i, domain in enumerate((source, target))
    ]
    start = now()
    source.accuracy(net), target.accuracy(net)
    run = MaskLearning(net, o)
    sums = torch.zeros(2)
    for ours, theirs in zip(*pairs):
        figures = run.step(ours, theirs)
        sums += torch.stack([figures["sourceLoss"], figures["targetLoss"]])
    masked = copy.deepcopy(net)
    masked.load_state_dict({path: value.detach() for path, value in run.masked().items()}, strict=False)
    source.accuracy(masked)
    source.accuracy(masked), target.accuracy(masked)
    ms = milliseconds(start)
    cut = sum(int((score <= o["threshold"]).sum()) for score in run.scores.values())
    tell(ms, cut, torch.cat([source.all, target.all]))


OPTIONS = {
    "lambda": 0.1,
    "beta": 0.5,
    "capOver": "sample",
    "scoreStart": 0.01,
    "threshold": 0.005,
    "learningRate": 5e-4,
    "steps": 200,
    "batchSize": 32,
}

if __name__ == "__main__":
    from common import ARGUMENTS

    race(*ARGUMENTS)
