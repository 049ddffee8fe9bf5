"""Mask pruning as bench/pytorch/map.py has it, on the batches that the product draws.

prepare FOLDER   writes models and data
compare FOLDER   prints { case: { what: difference } } for what the product wrote beside them

A case is one of cases.json: a seed, and options by the product's names, all of them.
"""

import json
import sys
from pathlib import Path

import torch

from learned_threshold import far
from non_transferable_pruning import Stream, prepare, read_masks, start

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/pytorch"))
from map import MaskLearning  # noqa: E402


class Labelled:
    """A stream whose labels are the model's own answers."""

    def __init__(self, stream, net):
        self.stream, self.net = stream, net

    def at(self, step):
        images, _ = self.stream.at(step)
        with torch.no_grad():
            return images, self.net(images).argmax(1)


def compare_case(folder, name, case):
    o, seed = case["options"], case["seed"]
    net = start()
    run = MaskLearning(net, o)
    source, target = (
        Stream(folder, domain, o["batchSize"], seed, "train", 1, "mask", 0, i)
        for i, domain in enumerate(("source", "target"))
    )
    if o["targetLabels"] == "pseudo":
        target = Labelled(target, net)
    steps = [run.step(source.at(step), target.at(step)) for step in range(o["steps"])]
    each = o["steps"] // o["readings"]
    rows = [
        {figure: sum(row[figure].item() for row in steps[at : at + each]) / each for figure in steps[0]}
        for at in range(0, o["steps"], each)
    ]
    found = torch.jit.load(f"{folder}/{name}.out.pt").state_dict()
    with open(f"{folder}/{name}.json") as file:
        told = json.load(file)["readings"]
    masks = read_masks(f"{folder}/{name}.mask")
    expected = net.state_dict() | run.masked()
    return {
        # Bit for bit: a mask changes no weight.
        "weights": sum(not torch.equal(found[path], value.detach()) for path, value in expected.items()),
        "masks": int(sum((masks[path] != (score > o["threshold"])).sum() for path, score in run.scores.items())),
        "figures": {
            figure: far([row[figure] for row in told], [row[figure] for row in rows]) for figure in rows[0]
        },
        # What the reference saw, so that a case can be seen to do what it is named for.
        "seen": {
            "pruned": 1 - sum((score > o["threshold"]).sum().item() for score in run.scores.values())
            / sum(score.numel() for score in run.scores.values()),
            "target": [o["lambda"] * row["targetLoss"].item() for row in steps],
        },
    }


def compare(folder):
    with open(f"{folder}/cases.json") as file:
        cases = json.load(file)
    print(json.dumps({name: compare_case(folder, name, case) for name, case in cases.items()}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"prepare": prepare, "compare": compare}[sys.argv[1]](sys.argv[2])
