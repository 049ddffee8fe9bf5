"""The order in which our side draws samples: its shuffling, by the published generator SplitMix64."""

import torch

M64 = 2**64 - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & M64
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)


def mix(seed, value):
    if isinstance(value, str):
        text, value = value, 0xCBF29CE484222325
        for byte in text.encode():
            value = ((value ^ byte) * 0x100000001B3) & M64
    return SplitMix64(seed ^ ((value * 0xD1B54A32D192ED03 + 0x8CB92BA72F3D8DD7) & M64)).next()


def permutation(count, seed, *purpose):
    for value in purpose:
        seed = mix(seed, value)
    random = SplitMix64(seed)
    positions = list(range(count))
    for last in range(count - 1, 0, -1):
        other = (random.next() * (last + 1)) >> 64
        positions[last], positions[other] = positions[other], positions[last]
    return torch.tensor(positions)
