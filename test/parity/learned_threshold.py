"""Learned Threshold Pruning (arXiv 2003.00075) in plain PyTorch, to compare with.

prepare FOLDER   writes models and data
compare FOLDER   prints { case: { what: difference } } for what the product wrote beside them

A case is one of cases.json: a starting model, a seed, and options by the product's names.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/pytorch"))
from shuffle import permutation  # noqa: E402

SAMPLES = 80
STARTS = 6


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(6)
        self.c2 = nn.Conv2d(6, 8, 3, padding=1)
        self.b2 = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(32, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.b1(self.c1(x))))
        x = self.pool(torch.relu(self.b2(self.c2(x))))
        return self.fc(x.flatten(1))


PRUNED = ("c1.weight", "c2.weight", "fc.weight")


def prepare(folder):
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(SAMPLES) % 4
    images = torch.rand(SAMPLES, 1, 8, 8, generator=generator) + labels.reshape(-1, 1, 1, 1) / 4
    np.save(f"{folder}/images.npy", images.numpy())
    np.save(f"{folder}/labels.npy", labels.numpy())
    for start in range(STARTS):
        torch.manual_seed(start)
        net = Net()
        torch.jit.script(net).save(f"{folder}/float32-{start}.pt")
        torch.jit.script(net.double()).save(f"{folder}/float64-{start}.pt")
    with torch.no_grad():
        for path in PRUNED:  # a fifth of the weights is gone before the run
            weight = net.get_parameter(path)
            weight[weight.abs() < weight.abs().quantile(0.2)] = 0
    torch.jit.script(net).save(f"{folder}/float64-zeros.pt")


def order(seed, epoch):
    return permutation(SAMPLES, seed, "train", 1, "prune", 0, 0, "shuffle", epoch)


# --- The method


def gate(w, tau, T):
    return torch.sigmoid((w * w - tau) / T)


def kept(w, tau):
    # In the precision of the weights, as the gate sees them.
    tau = torch.tensor(tau, dtype=torch.float64).to(w.dtype).double()
    return w.double() ** 2 > tau


def sgd(w, g, b, o):
    """torch.optim.SGD."""
    g = g + o["weightDecay"] * w
    b.mul_(o["momentum"]).add_(g)
    w -= o["learningRate"] * (g + o["momentum"] * b if o["nesterov"] else b)


class Layer:
    def __init__(self, w, path, options):
        self.path = path
        self.w = w.detach().clone()
        self.b = torch.zeros_like(self.w)
        self.present = self.w != 0 if options["keepZeros"] else torch.ones_like(self.w, dtype=torch.bool)
        magnitude = self.w.double().abs()
        below = round((1 - options["initialDensity"]) * w.numel())
        self.tau = magnitude.flatten().sort().values[below - 1].item() ** 2 if below > 0 else 0.0
        self.T = options["temperature"] * magnitude[self.present].var(correction=0).item()
        self.rate = options["thresholdRate"] * options["layerRates"].get(path, 1)
        self.least = math.ceil((1 - options["maxLayerSparsity"]) * w.numel())
        self.undone = 0
        self.before = self.tau

    def kept(self):
        return kept(self.w, self.tau) & self.present

    def open(self):
        return gate(self.w, self.tau, self.T) * self.present

    def slopes(self):
        # s (1 - s), without the cancellation of 1 - s where s is nearly 1.
        z = (self.w * self.w - self.tau) / self.T
        return torch.sigmoid(z) * torch.sigmoid(-z) * self.present

    def cap(self):
        """Too few are left: the threshold's step is undone, or, where the weights shrank, it falls by a tenth."""
        if self.kept().sum() < self.least and self.tau > 0:
            self.tau = self.before if self.before < self.tau else 0.9 * self.tau
            self.undone += 1

    def spare(self):
        """At an epoch's end too few may not be left: the threshold goes right below the last that must stay."""
        if self.kept().sum() < self.least:
            last = self.w.abs().flatten().sort(descending=True).values[self.least - 1].item()
            self.tau = last**2 * (1 - 1e-6)

    def step(self, g, options, cost, hold):
        """g = dL/dv. Everything is of the weight and threshold that the forward saw."""
        w, s, d = self.w, gate(self.w, self.tau, self.T), self.slopes()
        S0 = d.double().sum().item()
        S1 = (d * g * w).double().sum().item()
        S2 = (d * (g * w).abs()).double().sum().item()
        self.gradient = -(S1 + cost * S0) / self.T
        if options["weightGradient"] == "approximate":
            dw = g * s
        else:
            dw = g * s + 2 * w / self.T * d * (g * w + cost)
        sgd(w, dw, self.b, options["optimizer"])
        w *= self.present
        if options["thresholdRule"] == "plain":
            move = -self.rate * self.gradient
        else:
            move = self.rate * self.T * (S1 + cost * S0) / (S2 + cost * S0)
        self.before = self.tau
        if not (hold and move > 0):
            self.tau = max(self.tau + move, 0.0)


def learn(module, images, labels, seed, options):
    parameters = dict(module.named_parameters())
    weights = sum(parameters[path].numel() for path in PRUNED)
    cost = options["lambda"]
    layers = [Layer(parameters[path], path, options) for path in PRUNED]
    others = [(p, torch.zeros_like(p)) for path, p in parameters.items() if path not in PRUNED]
    epochs = []

    def write():
        for layer in layers:
            parameters[layer.path].copy_(layer.w * layer.open())

    def reached():
        target = options.get("target")
        return target is not None and sum(layer.kept().sum().item() for layer in layers) <= target["density"] * weights

    module.train()
    with torch.no_grad():
        write()
    hold = reached()
    for epoch in range(options["epochs"]):
        total = 0.0
        for batch in order(seed, epoch).split(options["batchSize"]):
            module.zero_grad()
            loss = nn.functional.cross_entropy(module(images[batch]), labels[batch])
            loss.backward()
            total += loss.item() * len(batch)
            with torch.no_grad():
                for layer in layers:
                    layer.step(parameters[layer.path].grad, options, cost, hold)
                    layer.cap()
                for p, b in others:
                    sgd(p, p.grad, b, options["optimizer"])
                write()
                hold = reached()
        with torch.no_grad():
            for layer in layers:
                layer.spare()
            write()
            hold = reached()
        epochs.append([total / len(images), *(layer.kept().sum().item() / layer.w.numel() for layer in layers)])
    with torch.no_grad():
        for layer in layers:
            parameters[layer.path].copy_(layer.w * layer.kept())
    return layers, epochs, hold


# --- The comparison


def relative(found, expected):
    scale = max(expected.abs().max().item(), 1e-12)
    return (found.double() - expected.double()).abs().max().item() / scale


def far(found, expected):
    return relative(torch.tensor(found, dtype=torch.float64), torch.tensor(expected, dtype=torch.float64))


def compare_case(folder, name, case):
    module = torch.jit.load(f"{folder}/{case['start']}.pt")
    dtype = module.c1.weight.dtype
    images = torch.from_numpy(np.load(f"{folder}/images.npy")).to(dtype)
    labels = torch.from_numpy(np.load(f"{folder}/labels.npy"))
    layers, epochs, reached = learn(module, images, labels, case["seed"], case["options"])
    found = torch.jit.load(f"{folder}/{name}.out.pt").state_dict()
    with open(f"{folder}/{name}.json") as file:
        report = json.load(file)
    told = {layer["path"]: layer for layer in report["layers"]}
    told = [told[layer.path] for layer in layers]
    # A weight below its threshold is zero in the product's model and in the reference's.
    tensors = {path: value for path, value in module.state_dict().items() if value.is_floating_point()}
    masks = [(found[layer.path] != 0) != layer.kept() for layer in layers]
    trace = [[epoch["loss"], *epoch["layerDensity"]] for epoch in report["epochs"]]
    return {
        "weights": max(relative(found[path], value) for path, value in tensors.items()),
        "thresholds": max(far([a["threshold"]], [math.sqrt(b.tau)]) for a, b in zip(told, layers)),
        "temperatures": max(far([a["temperature"]], [b.T]) for a, b in zip(told, layers)),
        "gradients": max(far([a["thresholdGradient"]], [b.gradient]) for a, b in zip(told, layers)),
        "losses": far([row[0] for row in trace], [row[0] for row in epochs]),
        "masks": int(sum(mask.sum() for mask in masks)),
        "densities": sum(a[1:] != b[1:] for a, b in zip(trace, epochs, strict=True)),
        "undone": sum(abs(a["stepsUndone"] - b.undone) for a, b in zip(told, layers)),
        "reached": int(report["targetReached"] != reached),
        # What the reference saw, so that a case can be seen to do what it is named for.
        "seen": {"density": [round(row, 3) for row in epochs[-1][1:]], "undone": sum(layer.undone for layer in layers), "reached": reached},
    }


def compare(folder):
    with open(f"{folder}/cases.json") as file:
        cases = json.load(file)
    print(json.dumps({name: compare_case(folder, name, case) for name, case in cases.items()}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"prepare": prepare, "compare": compare}[sys.argv[1]](sys.argv[2])
