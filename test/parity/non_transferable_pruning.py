"""Non-transferable Pruning as bench/pytorch/ntp.py has it, on the batches that the product draws.

prepare FOLDER   writes models and data
compare FOLDER   prints { case: { what: difference } } for what the product wrote beside them

A case is one of cases.json: a seed, and options by the product's names, all of them.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from learned_threshold import far, relative

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/pytorch"))
from ntp import Protection, reestimate  # noqa: E402
from shuffle import SplitMix64, mix, permutation  # noqa: E402

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
