"""Non-transferable Pruning (Ding et al. 2024, arXiv 2410.08015), with and without a simulated attacker, in plain
PyTorch, to compare and to race with.

prepare FOLDER   writes models and data
compare FOLDER   prints { case: { what: difference } } for what the product wrote beside them

A case is one of cases.json: a seed, and options by the product's names, all of them.
"""

import copy
import json
import math
import sys

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from learned_threshold import SplitMix64, far, mix, permutation, relative

# --- The terms


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


# --- The method


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
                head_of(self.target_head), o["learningRate"], weight_decay=o["weightDecay"]
            )
        self.attacker_steps = self.restarts = 0
        self.source_mean = None
        self.renew()

    def renew(self):
        o = self.o
        self.optimizer = torch.optim.Adam(self.trained, o["learningRate"], weight_decay=o["weightDecay"])

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
            self.attacker_optimizer = torch.optim.Adam(self.attacked, o["learningRate"])
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


# --- The comparison

SOURCE, TARGET = 80, 96


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(6)
        self.c2 = nn.Conv2d(6, 8, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 4)

    def encode(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.b1(self.c1(x))), 2)
        return torch.relu(self.b2(self.c2(x)))

    def head(self, features):
        return self.fc(nn.functional.adaptive_avg_pool2d(features, [1, 1]).flatten(1))

    def forward(self, x):
        return self.head(self.encode(x))

    def parts(self):
        return [self.c1, self.b1, self.c2, self.b2], [self.fc]


def start():
    torch.manual_seed(3)
    return Net().double()


def prepare(folder):
    generator = torch.Generator().manual_seed(1)
    for name, count, step in (("source", SOURCE, 1 / 4), ("target", TARGET, -1 / 4)):
        labels = torch.arange(count) % 4
        shade = labels.reshape(-1, 1, 1, 1) * step
        images = torch.rand(count, 1, 8, 8, generator=generator) * (1 + shade) + shade
        np.save(f"{folder}/{name}-images.npy", images.numpy())
        np.save(f"{folder}/{name}-labels.npy", labels.numpy())
    torch.jit.script(start()).save(f"{folder}/start.pt")


class Stream:
    """The product's batches of a phase."""

    def __init__(self, folder, name, batch, *purpose):
        self.images = torch.from_numpy(np.load(f"{folder}/{name}-images.npy")).double()
        self.labels = torch.from_numpy(np.load(f"{folder}/{name}-labels.npy"))
        self.batch, self.purpose = batch, purpose

    def at(self, step):
        epoch, index = divmod(step, len(self.labels) // self.batch)
        positions = permutation(len(self.labels), *self.purpose, "shuffle", epoch)
        positions = positions[index * self.batch : (index + 1) * self.batch]
        return self.images[positions], self.labels[positions]


def fresh_head_of(seed):
    def draw(net, restart):
        for name, parameter in net.fc.named_parameters():
            random = SplitMix64(mix(mix(seed, restart), f"fc.{name}"))
            drawn = [2 * ((random.next() >> 11) / 2**53) - 1 for _ in range(parameter.numel())]
            with torch.no_grad():
                parameter.copy_(torch.tensor(drawn, dtype=torch.float64).view_as(parameter) / math.sqrt(8))

    return draw


def protect(folder, seed, o):
    run = Protection(start(), 4, o, fresh_head_of(seed))
    phases = 0

    def streams(phase):
        nonlocal phases
        phases += 1
        return [
            Stream(folder, name, o["batchSize"], seed, "train", 1, phase, phases - 1, i)
            for i, name in enumerate(("source", "target"))
        ]

    if run.against_target and o["targetHead"]["steps"] > 0:
        _, target = streams("target head")
        for step in range(o["targetHead"]["steps"]):
            run.head_step(*target.at(step))
    source, target = streams("protect")
    rows = []
    steps = []
    at = 0
    for iteration in range(o["iterations"]):
        for _ in range(o["targetHead"]["refreshSteps"] if o["alphaTarget"] > 0 else 0):
            run.head_step(*target.at(at))
            at += 1
        figures = []
        for _ in range(o["stepsPerIteration"]):
            figures.append(run.step(source.at(at), target.at(at)))
            at += 1
        steps += figures
        rows.append({name: sum(row[name] for row in figures) / len(figures) for name in figures[0]})
        rows[-1] |= run.end_iteration(iteration)
    source, target = streams("polish")
    for step in range(o["polishSteps"]):
        rate = o["learningRate"] * (0.1 + 0.45 * (1 + math.cos(math.pi * step / o["polishSteps"])))
        run.step(source.at(step), target.at(step), penalised=False, rate=rate)
    if o["refreshBatches"] > 0:
        stream = Stream(folder, "source", o["batchSize"], seed, "batch norm")
        reestimate(run.net, [stream.at(i)[0] for i in range(o["refreshBatches"])])
    return run, rows, steps


def read_masks(path):
    """A safetensors file of booleans."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = np.frombuffer(file.read(), dtype=np.bool_)
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(data[slice(*entry["data_offsets"])].copy()).view(entry["shape"])
        for name, entry in header.items()
    }


def compare_case(folder, name, case):
    run, rows, steps = protect(folder, case["seed"], case["options"])
    found = torch.jit.load(f"{folder}/{name}.out.pt").state_dict()
    with open(f"{folder}/{name}.json") as file:
        report = json.load(file)
    told = report["iterations"]
    expected = run.net.state_dict()
    paths = [path for path, value in expected.items() if value.is_floating_point()]
    pruned = [f"{layer}.weight" for layer in ("c1", "c2")]
    masks = read_masks(f"{folder}/{name}.mask")
    revived = sum((mask & (weight == 0)).sum().item() for mask, weight in zip(run.M, run.pruned))
    return {
        "weights": max(relative(found[path], expected[path]) for path in paths),
        "figures": {
            figure: far([row[figure] for row in told], [row[figure] for row in rows]) for figure in rows[0]
        },
        "masks": int(sum((masks[path] != mask).sum() for path, mask in zip(pruned, run.M, strict=True))),
        "zeros": int(sum(((found[path] == 0) != (expected[path] == 0)).sum() for path in pruned)),
        "untold": sorted(figure for figure, value in told[0].items() if value is not None and figure not in rows[0]),
        "restarts": abs(report["attackerRestarts"] - run.restarts),
        # What the reference saw, so that a case can be seen to do what it is named for.
        "seen": {
            # In the mask and still zero: cut before, and come back in the last iteration.
            "last": rows[-1] | {"revived": revived},
            "loss": {each: [step.get(f"{each}Loss") for step in steps] for each in ("target", "attacker")},
            "gates": [step.get("gate") for step in steps],
            "restarts": run.restarts,
        },
    }


def compare(folder):
    with open(f"{folder}/cases.json") as file:
        cases = json.load(file)
    print(json.dumps({name: compare_case(folder, name, case) for name, case in cases.items()}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"prepare": prepare, "compare": compare}[sys.argv[1]](sys.argv[2])
