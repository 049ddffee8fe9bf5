"""How masked steps and selection grow with weights, and steps with layers, on one thread and two."""

import json
import statistics

import torch
from contest import SEED, arguments, ops, timed, versions

given = arguments()
ROUNDS = 3 if given.tiny else 7
MILLIONS = (0.001, 0.002) if given.tiny else (1, 3, 10, 30, 100, 300) if given.full else (1, 3, 10, 30, 100)
LAYERS = (2, 4) if given.tiny else (10, 30, 100, 300, 1000)
A_LAYER = 1000


def masked_step(shapes):
    weights, gradients, momenta = ([torch.randn(shape) for shape in shapes] for _ in range(3))
    masks = [torch.rand(shape) < 0.1 for shape in shapes]
    return lambda: ops.masked_sgd_(weights, gradients, momenta, masks, [], [], learning_rate=0.01, momentum=0.9)


def selection(share):
    def make(shapes):
        weights = [torch.randn(shape) for shape in shapes]
        cut = round(share * sum(w.numel() for w in weights))
        return lambda: ops.select_lowest(weights, cut)

    return make


def reading(side):
    side()
    return [timed(side) for _ in range(ROUNDS)]


def points(make, sizes, shapes_of):
    return [{"x": size, "rounds": reading(make(shapes_of(size)))} for size in sizes]


def of_millions(millions):
    return [(round(millions * 1e6) // 50,)] * 50


series = []
for threads in range(1, given.threads + 1):
    torch.set_num_threads(threads)
    for title, make in (
        ("masked SGD step", masked_step),
        ("global selection, 90 % cut", selection(0.9)),
        ("global selection, 50 % cut", selection(0.5)),
    ):
        series.append({"title": title, "x": "million weights", "threads": threads, "points": points(make, MILLIONS, of_millions)})
    series.append({"title": "masked SGD step, 1,000 weights a layer", "x": "layers", "threads": threads, "points": points(masked_step, LAYERS, lambda n: [(A_LAYER,)] * n)})  # fmt: skip

# What a layer costs besides its weights: many small ones against one of as many weights.
torch.set_num_threads(1)
layers = LAYERS[-1]
many, one = (statistics.median(reading(masked_step(shapes))) for shapes in ([(A_LAYER,)] * layers, [(A_LAYER * layers,)]))
figures = {"a layer of a masked step, microseconds": (many - one) * 1e3 / layers}
print(json.dumps({"series": series, "figures": figures, "versions": versions(), "seed": SEED}))
