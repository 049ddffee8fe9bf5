"""Non-transferable learning as bench/pytorch/ntl.py has it, on the batches that the product draws.

prepare FOLDER   writes models and data
compare FOLDER   prints { case: { what: difference } } for what the product wrote beside them

A case is one of cases.json: a seed, and options by the product's names, all of them.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from learned_threshold import far, relative
from non_transferable_pruning import Net, Stream, prepare

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/pytorch"))
from ntl import Learning  # noqa: E402


class Cut(Net):
    """The same network, cut behind its first norm."""

    def encode(self, x):
        return self.b1(self.c1(x))

    def head(self, features):
        x = nn.functional.max_pool2d(torch.relu(features), 2)
        return Net.head(self, torch.relu(self.b2(self.c2(x))))


def start():
    torch.manual_seed(3)
    return Cut().double()


def compare_case(folder, name, case):
    o, seed = case["options"], case["seed"]
    run = Learning(start(), 4, o)
    source, target = (
        Stream(folder, domain, o["batchSize"], seed, "train", 1, "protect", 0, i)
        for i, domain in enumerate(("source", "target"))
    )
    steps = [run.step(source.at(step), target.at(step)) for step in range(o["steps"])]
    each = o["steps"] // o["readings"]
    rows = [
        {figure: sum(row[figure].item() for row in steps[at : at + each]) / each for figure in steps[0]}
        for at in range(0, o["steps"], each)
    ]
    found = torch.jit.load(f"{folder}/{name}.out.pt").state_dict()
    with open(f"{folder}/{name}.json") as file:
        told = json.load(file)["readings"]
    expected = run.net.state_dict()
    paths = [path for path, value in expected.items() if value.is_floating_point()]
    scale = 1 / 4 if o["reduction"] == "elementwise" else 1
    return {
        "weights": max(relative(found[path], expected[path]) for path in paths),
        "figures": {
            figure: far([row[figure] for row in told], [row[figure] for row in rows]) for figure in rows[0]
        },
        "untold": sorted(
            figure for figure in ("targetLoss", "discrepancy") if told[0][figure] is not None and figure not in rows[0]
        ),
        # What the reference saw, so that a case can be seen to do what it is named for.
        "seen": {
            "target": [o["alpha"] * scale * row["targetLoss"].item() for row in steps],
            "discrepancy": [(o["beta"] * row["discrepancy"]).item() for row in steps if "discrepancy" in row],
        },
    }


def compare(folder):
    with open(f"{folder}/cases.json") as file:
        cases = json.load(file)
    print(json.dumps({name: compare_case(folder, name, case) for name, case in cases.items()}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"prepare": prepare, "compare": compare}[sys.argv[1]](sys.argv[2])
