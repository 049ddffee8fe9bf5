"""Non-transferable learning (Wang et al., ICLR 2022, arXiv 2106.06916) in plain eager PyTorch: the reference of the
parity test, and the other side of the race 'ntl'.
"""

import torch
from torch.nn.functional import cross_entropy


def discrepancy(a, b, count, factor):
    """Maximum mean discrepancy in Gram form: `count` Gaussian kernels around the mean squared distance."""
    points = torch.cat([a, b]).flatten(1)
    squares = points.square().sum(1)
    distances = (squares[:, None] + squares[None] - 2 * points @ points.T).clamp_min(0)
    n = len(points)
    width = distances.detach().sum() / (n * n - n) / factor ** (count // 2) + 1e-12
    kernel = sum(torch.exp(-distances / (width * factor**q)) for q in range(count))
    half = len(a)
    return (kernel[:half, :half] + kernel[half:, half:] - kernel[:half, half:] - kernel[half:, :half]).mean()


class Learning:
    """`net` is changed in place. It has encode(x), whose value is compared, and head(features)."""

    def __init__(self, net, classes, options):
        self.net, self.o = net, options
        self.scale = 1 / classes if options["reduction"] == "elementwise" else 1
        self.optimizer = torch.optim.Adam(
            net.parameters(), options["learningRate"], weight_decay=options["weightDecay"], fused=True
        )
        self.steps = 0

    def step(self, source, target):
        """One update; its figures, as tensors."""
        o = self.o
        self.net.train(o["batchNorm"] == "joint")
        n = len(source[1])
        features = self.net.encode(torch.cat([source[0], target[0]]))
        logits = self.net.head(features)
        source_loss = cross_entropy(logits[:n], source[1])
        target_losses = cross_entropy(logits[n:], target[1], reduction="none")
        target_loss = target_losses.mean()
        figures = {"sourceLoss": source_loss, "targetLoss": target_loss}
        capped = target_losses if o["capOver"] == "sample" else target_loss
        repulsion = (o["alpha"] * self.scale * capped).clamp(max=o["capTarget"]).mean()
        if o["beta"] != "off":
            kernels = o["kernels"]
            apart = figures["discrepancy"] = discrepancy(
                features[:n], features[n:], kernels["count"], kernels["factor"]
            )
            repulsion = repulsion * (o["beta"] * apart).clamp(max=o["capDiscrepancy"])
        self.optimizer.zero_grad()
        (self.scale * source_loss - repulsion).backward()
        for group in self.optimizer.param_groups:
            group["lr"] = o["learningRate"] * o["learningRateDecay"] ** self.steps
        self.optimizer.step()
        self.steps += 1
        return {name: value.detach() for name, value in figures.items()}


# --- The race


class Split(torch.nn.Module):
    """A sequential network cut behind a layer."""

    def __init__(self, net, layer):
        super().__init__()
        self.encode, self.head = net[: layer + 1], net[layer + 1 :]

    def forward(self, x):
        return self.head(self.encode(x))


LAYERS = {"transfer": 5, "plain": 3}


def race(name):
    """Trains a network away from a target; the line of the trial tells the mean loss of both domains."""
    from common import milliseconds, now, tell
    from digits import Samples, trained

    o = OPTIONS
    source, target = Samples("mnist"), Samples("mnist-m")
    # Convolutions and pools are faster so.
    net = Split(trained(name, source), LAYERS[name]).to(memory_format=torch.channels_last)
    pairs = [
        domain.batches(o["batchSize"], o["steps"], "train", 1, "protect", 0, i)
        for i, domain in enumerate((source, target))
    ]
    start = now()
    source.accuracy(net), target.accuracy(net)
    run = Learning(net, 10, o)
    sums = torch.zeros(2)
    for ours, theirs in zip(*pairs):
        figures = run.step(ours, theirs)
        sums += torch.stack([figures["sourceLoss"], figures["targetLoss"]])
    source.accuracy(net)
    held = {path: value.clone() for path, value in net.state_dict().items()}
    net.load_state_dict(held)
    source.accuracy(net), target.accuracy(net)
    ms = milliseconds(start)
    tell(ms, sums.mean().item() / o["steps"], torch.cat([source.all, target.all]))


OPTIONS = {
    "alpha": 1,
    "beta": 1,
    "capTarget": 5,
    "capOver": "sample",
    "capDiscrepancy": 1,
    "reduction": "batchMean",
    "kernels": {"count": 5, "factor": 2},
    "batchNorm": "frozen",
    "steps": 200,
    "batchSize": 32,
    "learningRate": 1e-3,
    "learningRateDecay": 1,
    "weightDecay": 0,
}

if __name__ == "__main__":
    from common import ARGUMENTS

    race(*ARGUMENTS)
