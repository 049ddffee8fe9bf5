"""Non-transferable Pruning (Ding et al. 2024, arXiv 2410.08015), with and without a simulated attacker, in plain eager
PyTorch: the reference of the parity test, and the other side of the races 'ntp' and 'ntp-published'.
"""

import copy
import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy


def fisher_ratio(features, labels, classes):
    """Between-class over within-class scatter of features normalised over the channels; wanted small."""
    phi = nn.functional.normalize(features, dim=1)
    groups = [phi[labels == c] for c in range(classes)]
    groups = [group for group in groups if len(group) >= 2]
    if len(groups) < 2:
        return features.sum() * 0
    means = torch.stack([group.mean(0) for group in groups])
    within = sum((group - mean).square().mean() for group, mean in zip(groups, means))
    between = (means - means.mean(0)).square().mean()
    return between / (within + 1e-6)


def discrepancy(a, b):
    """NTL's maximum mean discrepancy of features normalised over the channels: five Gaussian kernels."""
    points = torch.cat([nn.functional.normalize(each, dim=1).flatten(1) for each in (a, b)])
    distances = (points.unsqueeze(0) - points.unsqueeze(1)).square().sum(2)
    n = len(points)
    width = distances.detach().sum() / (n * n - n) / 4 + 1e-12
    kernel = sum(torch.exp(-distances / (width * 2**q)) for q in range(5))
    half = len(a)
    return (kernel[:half, :half] + kernel[half:, half:] - kernel[:half, half:] - kernel[half:, :half]).mean()


class Protection:
    """`net` is changed in place. It has encode(x), head(features), and parts(): the modules of either with parameters.
    `fresh_head(net, restart)` gives the attacker's head new weights."""

    def __init__(self, net, classes, options, fresh_head):
        self.net, self.classes, self.o, self.fresh_head = net, classes, options, fresh_head
        self.trained = encoder_of(net)
        self.pruned = [p for p in self.trained if p.dim() > 1]
        self.Z = [p.detach().clone() for p in self.pruned]
        self.U = [torch.zeros_like(p) for p in self.pruned]
        self.M = [torch.ones_like(p, dtype=torch.bool) for p in self.pruned]
        self.attacks = options["attacker"] == "simulated"
        self.against_target = options["alphaTarget"] > 0 or options["lambdaFisher"] > 0
        if self.against_target:
            self.target_head = copy.deepcopy(net)
            o = options["targetHead"]
            self.head_optimizer = torch.optim.Adam(
                head_of(self.target_head), o["learningRate"], weight_decay=o["weightDecay"], fused=True
            )
        self.attacker_steps = self.restarts = 0
        self.source_mean = None
        self.renew()

    def renew(self):
        o = self.o
        self.optimizer = torch.optim.Adam(self.trained, o["learningRate"], weight_decay=o["weightDecay"], fused=True)

    def head_step(self, x, y):
        self.net.eval()
        with torch.no_grad():
            features = self.net.encode(x)
        self.net.train()
        loss = cross_entropy(self.target_head.head(features), y)
        self.head_optimizer.zero_grad()
        loss.backward()
        self.head_optimizer.step()

    def step(self, source, target, penalised=True, rate=None):
        """One update of the encoder; its figures."""
        o = self.o
        self.net.train()
        features = self.net.encode(source[0])
        source_loss = cross_entropy(self.net.head(features), source[1])
        objective, figures = source_loss, {"sourceLoss": source_loss}
        if self.against_target:
            seen = self.net.encode(target[0])
            target_loss = cross_entropy(self.target_head.head(seen), target[1])
            figures["targetLoss"] = target_loss
            capped = target_loss.clamp(max=o["targetLossCap"])
            if o["loss"] == "ntl":
                figures["discrepancy"] = discrepancy(features, seen)
                objective = objective - o["alphaTarget"] * capped * figures["discrepancy"].clamp(max=1)
            else:
                objective = objective - o["alphaTarget"] * capped
                if o["lambdaFisher"] > 0:
                    ratio = figures["fisherRatio"] = fisher_ratio(seen, target[1], self.classes)
                    objective = objective + o["lambdaFisher"] * self.classes / 10 * ratio
        if penalised:
            gaps = [w - z + u for w, z, u in zip(self.pruned, self.Z, self.U)]
            if o["penalty"] == "squared":
                # Where a weight is cut, W and Z are zero and U stands still: a constant, left out.
                penalty = o["rho"] / 2 * sum((gap * m).square().sum() for gap, m in zip(gaps, self.M))
            else:
                penalty = o["rho"] / 2 * sum((gap.square().sum() + 1e-12).sqrt() for gap in gaps)
            figures["penalty"] = penalty
            objective = objective + penalty
        gradients = torch.autograd.grad(objective, self.trained)
        for parameter, gradient in zip(self.trained, gradients):
            parameter.grad = gradient
        if self.attacks:
            figures |= self.oppose(target, source_loss.item())
        self.masked_step(rate or o["learningRate"])
        return {name: value.item() if torch.is_tensor(value) else value for name, value in figures.items()}

    def oppose(self, target, source_loss):
        """A step of the attacker; the encoder's gradient is pushed against his."""
        o = self.o["simulated"]
        if self.attacker_steps % o["horizon"] == 0:
            self.restarts += 1
            self.attacker = copy.deepcopy(self.net).train()
            if o["freshHeadEvery"] > 0 and self.restarts % o["freshHeadEvery"] == 0:
                self.fresh_head(self.attacker, self.restarts)
            self.attacked = encoder_of(self.attacker) + head_of(self.attacker)
            self.attacker_optimizer = torch.optim.Adam(self.attacked, o["learningRate"], fused=True)
        loss = cross_entropy(self.attacker(target[0]), target[1])
        self.attacker_optimizer.zero_grad()
        loss.backward()
        mean = self.source_mean
        self.source_mean = source_loss if mean is None else mean + 0.05 * (source_loss - mean)
        gate = min(max(2 * (1 - self.source_mean / o["sourceGate"]), 0), 1)
        push = o["weight"] * gate if loss.item() <= o["lossCap"] else 0
        for own, other in zip(self.trained, self.attacked):
            own.grad -= push * other.grad
        self.attacker_optimizer.step()
        self.attacker_steps += 1
        return {"attackerLoss": loss, "gate": gate}

    @torch.no_grad()
    def masked_step(self, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for weight, mask in zip(self.pruned, self.M):
            weight.grad *= mask
        self.optimizer.step()
        for weight, mask in zip(self.pruned, self.M):
            weight *= mask

    @torch.no_grad()
    def end_iteration(self, index):
        """Z, U and the mask follow; figures of the iteration."""
        o = self.o
        V = [w + u for w, u in zip(self.pruned, self.U)]
        before = self.Z
        if o["zUpdate"] == "cardinality":
            flat = torch.cat([v.flatten() for v in V])
            end = max(1, round(0.8 * o["iterations"]))
            done = min(1, (index + 1) / end)
            cut = o["sparsity"] * (1 - (1 - done) ** 3) * flat.numel()
            kept = flat.numel() - math.floor(cut + 0.5)
            keep = torch.zeros_like(flat, dtype=torch.bool)
            keep[flat.abs().topk(kept).indices] = True
            self.M = [part.view_as(v) for part, v in zip(keep.split([v.numel() for v in V]), V)]
            self.Z = [v * m for v, m in zip(V, self.M)]
        else:
            self.Z = [nn.functional.softshrink(v * m, o["l1"] / o["rho"]) for v, m in zip(V, self.M)]
            self.M = [z != 0 for z in self.Z]
        norm = lambda tensors: math.sqrt(sum(t.square().sum().item() for t in tensors))
        gaps = [w - z for w, z in zip(self.pruned, self.Z)]
        primal = norm(gaps) / norm(self.pruned)
        for u, gap in zip(self.U, gaps):
            u += gap
        for weight, mask in zip(self.pruned, self.M):
            weight *= mask
        self.renew()
        dual = norm([z - b for z, b in zip(self.Z, before)]) / norm(self.Z)
        cut = sum((~m).sum().item() for m in self.M) / sum(m.numel() for m in self.M)
        return {"sparsity": cut, "primalResidual": primal, "dualResidual": dual}

    def state(self):
        """All that the next step depends on, but for the optimisers' moments."""
        named = {path: value for path, value in self.net.state_dict().items()}
        for letter, tensors in (("Z", self.Z), ("U", self.U), ("M", self.M)):
            named |= {f"{letter}.{i}": tensor for i, tensor in enumerate(tensors)}
        if self.attacker_steps > 0:
            named |= {f"attacker.{path}": value for path, value in self.attacker.state_dict().items()}
        return {name: value.detach().cpu().numpy().copy() for name, value in named.items()}


def encoder_of(net):
    return [parameter for module in net.parts()[0] for parameter in module.parameters()]


def head_of(net):
    return [parameter for module in net.parts()[1] for parameter in module.parameters()]


@torch.no_grad()
def reestimate(net, batches):
    """The running statistics of batch norms are plain means over these batches."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    for batch in batches:
        net(batch)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum


# --- The race


class Split(nn.Module):
    """A sequential network cut before the average over space."""

    def __init__(self, net):
        super().__init__()
        cut = next(i for i, module in enumerate(net) if isinstance(module, nn.AdaptiveAvgPool2d))
        self.encode, self.head = net[:cut], net[cut:]

    def forward(self, x):
        return self.head(self.encode(x))

    def parts(self):
        return [self.encode], [self.head]


class Samples:
    """Bytes in memory, in a new order an epoch."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def batches(self, batch):
        while True:
            order = torch.randperm(len(self.labels))
            for i in range(0, len(order) - batch + 1, batch):
                chosen = order[i : i + batch]
                yield self.images[chosen].float() / 255, self.labels[chosen]

    @torch.inference_mode()
    def accuracy(self, net, batch=256):
        net.eval()
        hits = sum(
            int((net(self.images[i : i + batch].float() / 255).argmax(1) == self.labels[i : i + batch]).sum())
            for i in range(0, len(self.labels), batch)
        )
        net.train()
        return hits / len(self.labels)


def fresh_head(net, _restart):
    for module in net.head:
        if isinstance(module, nn.Linear):
            module.reset_parameters()


def race(attacker, architecture):
    """Protects a network; the line of the trial tells how many weights are zero."""
    import nets
    from common import images, milliseconds, now, tell

    options = OPTIONS | {"attacker": attacker}
    if attacker == "none":
        options |= {"alphaTarget": 0.1, "lambdaFisher": 100}
    if architecture == "resnet20":
        options |= SMALLER
    data, labels = images(options["images"])
    source, target = Samples(data, labels), Samples(255 - data, labels)
    net = Split(nets.resnet20() if architecture == "resnet20" else nets.convnet((16, 32, 64)))
    o = options
    start = now()
    source.accuracy(net), target.accuracy(net)
    run = Protection(net, 10, o, fresh_head)
    x, y = source.batches(o["batchSize"]), target.batches(o["batchSize"])
    if run.against_target:
        for _ in range(o["targetHead"]["steps"]):
            run.head_step(*next(y))
    for iteration in range(o["iterations"]):
        for _ in range(o["targetHead"]["refreshSteps"] if o["alphaTarget"] > 0 else 0):
            run.head_step(*next(y))
        for _ in range(o["stepsPerIteration"]):
            run.step(next(x), next(y))
        run.end_iteration(iteration)
    run.renew()
    readings = 5
    for step in range(o["polishSteps"]):
        rate = o["learningRate"] * (0.1 + 0.45 * (1 + math.cos(math.pi * step / o["polishSteps"])))
        run.step(next(x), next(y), penalised=False, rate=rate)
        if (step + 1) % (o["polishSteps"] // readings) == 0:
            reestimate(net, [next(x)[0] for _ in range(o["refreshBatches"])])
            source.accuracy(net)
    target.accuracy(net)
    ms = milliseconds(start)
    tell(ms, sum(int((weight == 0).sum()) for weight in run.pruned), data)


OPTIONS = {
    "sparsity": 0.9,
    "attacker": "simulated",
    "loss": "ntp",
    "alphaTarget": 0,
    "lambdaFisher": 0,
    "targetLossCap": 10,
    "simulated": {
        "horizon": 60,
        "weight": 1,
        "lossCap": 4,
        "sourceGate": 0.2,
        "learningRate": 1e-3,
        "freshHeadEvery": 2,
    },
    "targetHead": {"steps": 100, "refreshSteps": 20, "learningRate": 1e-3, "weightDecay": 8e-4},
    "zUpdate": "cardinality",
    "penalty": "squared",
    "rho": 0.05,
    "iterations": 4,
    "stepsPerIteration": 50,
    "polishSteps": 100,
    "images": 4096,
    "batchSize": 64,
    "learningRate": 1e-3,
    "weightDecay": 8e-4,
    "refreshBatches": 40,
}

# As much of a network that takes fourteen times as long would be no short race.
SMALLER = {
    "images": 1024,
    "iterations": 2,
    "stepsPerIteration": 8,
    "polishSteps": 10,
    "targetHead": OPTIONS["targetHead"] | {"steps": 10, "refreshSteps": 4},
    "refreshBatches": 4,
}

if __name__ == "__main__":
    from common import ARGUMENTS

    race(*ARGUMENTS)
