"""Training and pruning in stock PyTorch, to compare with.

prepare FOLDER   writes models, one full batch of data, and what PyTorch makes of them
compare FOLDER   prints { case: { error, steps } } for the models that the product wrote beside them
"""

import json
import os
import sys

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

STEPS = 6
SAMPLES = 48
# With Adam's usual 1e-8 a first step is lr * sign(gradient): rounding of a gradient near zero decides it, and
# no two programs agree. With 1e-3 the step depends on the gradient smoothly.
EPSILON = 1e-3
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(
        parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
    ),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, weight_decay=1e-3, eps=EPSILON),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=1e-2, eps=EPSILON),
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(8)
        self.c2 = nn.Conv2d(8, 12, 3, stride=2)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = torch.relu(self.b1(self.c1(x)))
        x = torch.relu(self.c2(x)).mean((2, 3))
        return self.fc(x)


def data():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(SAMPLES, 3, 12, 12, generator=generator)
    return images, torch.arange(SAMPLES) % 5


def script(kind, module, example):
    # A model traced in train mode has its flag baked in as true: the harder case.
    return torch.jit.script(module) if kind == "scripted" else torch.jit.trace(module.train(), example, check_trace=False)


def loss_of(module, images, labels):
    return nn.functional.cross_entropy(module(images), labels, label_smoothing=0.1)


def train(module, optimizer, images, labels, steps):
    module.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(module, images, labels).backward()
        optimizer.step()


def fresh(dtype):
    torch.manual_seed(0)
    return Net().to(dtype)


def prepare(folder):
    images, labels = data()
    np.save(f"{folder}/images.npy", images.numpy())
    np.save(f"{folder}/labels.npy", labels.numpy())
    for kind in ("scripted", "traced"):
        for name, make in OPTIMIZERS.items():
            double = fresh(torch.float64)
            script(kind, double, images.double()).save(f"{folder}/{kind}-{name}-float64.in.pt")
            # Tracing ran the module once in train mode: what was saved is the start of both.
            start = torch.jit.load(f"{folder}/{kind}-{name}-float64.in.pt").state_dict()
            double.load_state_dict(start)
            train(double, make(double.parameters()), images.double(), labels, STEPS)
            torch.save(double.state_dict(), f"{folder}/{kind}-{name}-float64.ref")
            # In float32 a step at a time, each from the reference's own state.
            single = fresh(torch.float32)
            for step in range(3):
                script(kind, single, images).save(f"{folder}/{kind}-{name}-float32-{step}.in.pt")
                single.load_state_dict(torch.jit.load(f"{folder}/{kind}-{name}-float32-{step}.in.pt").state_dict())
                train(single, make(single.parameters()), images, labels, 1)
                torch.save(single.state_dict(), f"{folder}/{kind}-{name}-float32-{step}.ref")
    prepare_masks(folder)


def prunable(module):
    return [(m, "weight") for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def prepare_masks(folder):
    module = fresh(torch.float32)
    torch.jit.script(module).save(f"{folder}/masks.in.pt")
    cases = {}
    total = sum(m.weight.numel() for m, _ in prunable(module))
    for sparsity in (0.0, 0.5, 0.9, 0.98):
        pruned = fresh(torch.float32)
        prune.global_unstructured(prunable(pruned), prune.L1Unstructured, amount=round(total * sparsity))
        cases[f"global-{sparsity}"] = {n: m for n, m in pruned.named_buffers() if n.endswith("weight_mask")}
        pruned = fresh(torch.float32)
        for m, name in prunable(pruned):
            prune.l1_unstructured(m, name, amount=round(m.weight.numel() * sparsity))
        cases[f"layer-{sparsity}"] = {n: m for n, m in pruned.named_buffers() if n.endswith("weight_mask")}
    pruned = fresh(torch.float32)
    for m in (pruned.c1, pruned.c2):
        prune.ln_structured(m, "weight", amount=round(m.weight.size(0) * 0.5), n=2, dim=0)
    cases["channel-0.5"] = {n: m for n, m in pruned.named_buffers() if n.endswith("weight_mask")}
    torch.save(cases, f"{folder}/masks.ref")


def relative(found, expected):
    scale = max(expected.abs().max().item(), 1e-12)
    return (found.double() - expected.double()).abs().max().item() / scale


def compare(folder):
    out = {"training": {}, "masks": {}, "logits": {}}
    images, _ = data()
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".out.pt") or file.startswith("masks"):
            continue
        case = file.removesuffix(".out.pt")
        found = torch.jit.load(f"{folder}/{file}").state_dict()
        expected = torch.load(f"{folder}/{case}.ref")
        out["training"][case] = max(
            relative(found[name], value) for name, value in expected.items() if value.is_floating_point()
        )
    start = dict(torch.jit.load(f"{folder}/masks.in.pt").named_parameters())
    for case, masks in torch.load(f"{folder}/masks.ref").items():
        module = torch.jit.load(f"{folder}/masks-{case}.out.pt").eval()
        weights = dict(module.named_parameters())
        different = 0
        for name, mask in masks.items():
            path = name.removesuffix("_mask")
            different += int(((weights[path] != 0) != (mask != 0)).sum())
            kept = mask != 0
            different += int((weights[path][kept] != start[path][kept]).sum())
        out["masks"][case] = different
        torch.set_num_threads(1)
        with torch.no_grad():
            ours = torch.from_numpy(np.load(f"{folder}/masks-{case}.logits.npy"))
            out["logits"][case] = int((module(images) != ours).sum())
    print(json.dumps(out))


if __name__ == "__main__":
    {"prepare": prepare, "compare": compare}[sys.argv[1]](sys.argv[2])
