"""The networks of the experiments."""

from torch import nn


def normed(channels):
    """conv16-BN-pool-conv32-BN-pool, which the networks with batch norm begin with."""
    return [
        nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


def digits():
    """conv16-BN-pool-conv32-BN-pool-FC128-FC10 for 1 x 28 x 28."""
    return nn.Sequential(
        *normed(1),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def transfer():
    """conv16-BN-pool-conv32-BN-pool-conv64-BN for 3 x 32 x 32, then a pool to 3 x 3 and a linear head."""
    return nn.Sequential(
        *normed(3),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(64 * 9, 10),
    )


def plain():
    """Without batch norm: conv16-pool-conv32-pool-conv64-pool for 3 x 32 x 32, then linear layers of 64 and 10."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 16, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
