"""Masks that cut the 90 % of least magnitude of all weights together, exactly."""

import numpy as np
import torch
from contest import arguments, contest, ops, shapes_of, tell, weights_of
from torch import nn
from torch.nn.utils import prune

given = arguments()
weights = weights_of(shapes_of(given))
total = sum(w.numel() for w in weights)
cut = round(total * 0.9)
masks = {}  # the newest of each side, counted when all is timed


def ours():
    masks["ours"] = ops.select_lowest(weights, cut)


def kthvalue():
    threshold = torch.cat([w.abs().flatten() for w in weights]).kthvalue(cut).values
    masks["cat + kthvalue"] = [w.abs() > threshold for w in weights]


def topk():
    threshold = torch.cat([w.abs().flatten() for w in weights]).topk(total - cut + 1).values[-1]
    masks["cat + topk"] = [w.abs() > threshold for w in weights]


def partition():
    flat = np.concatenate([w.abs().flatten().cpu().numpy() for w in weights])
    flat.partition(cut - 1)
    masks["numpy.partition"] = [w.abs() > float(flat[cut - 1]) for w in weights]


class Holder(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


def unstructured():
    layers = [(Holder(w), "weight") for w in weights]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=cut)
    masks["prune.global_unstructured"] = [layer.weight_mask != 0 for layer, _ in layers]


sides = {"ours": ours, "cat + kthvalue": kthvalue, "cat + topk": topk, "numpy.partition": partition, "prune.global_unstructured": unstructured}
times, grown = contest(sides, given.rounds or 5, once=("prune.global_unstructured",))
grown["ours"] -= total / 2**20  # the masks themselves
# Ours cuts exactly so many; a comparison with the threshold cuts all that equal it. Nothing else may differ.
threshold = torch.cat([w.abs().flatten() for w in weights]).kthvalue(cut).values


def furthest_from_ours(side):
    return sum(
        int(((one != own) & (w.abs() != threshold)).count_nonzero())
        for one, own, w in zip(side, masks["ours"], weights, strict=True)
    )


kept = sum(int(mask.count_nonzero()) for mask in masks["ours"])
difference = abs(kept - (total - cut)) + max(furthest_from_ours(side) for side in masks.values())
tell(times, grown, difference, 0, total)
