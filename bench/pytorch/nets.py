"""The networks of the experiments and races."""

from torch import nn
from torch.nn.functional import pad


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


def convnet(widths=(32, 64, 128), classes=10):
    """A convolution, batch norm and relu a width, pools between them, the average over space, a linear head."""
    layers = []
    for inputs, outputs in zip((3, *widths), widths):
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


class Padded(nn.Module):
    """The shortcut without parameters: every other pixel, and channels of zeros behind."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.channels))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.c2, self.b2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = shortcut

    def forward(self, x):
        return (self.b2(self.c2((self.b1(self.c1(x))).relu())) + self.shortcut(x)).relu()


def residual(widths, blocks, project):
    """He et al. 2016 for 32 x 32 images."""
    layers = [nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for before, width in zip((widths[0], *widths), widths):
        for i in range(blocks):
            narrows = i == 0 and before != width
            shortcut = nn.Identity()
            if narrows and project:
                shortcut = nn.Sequential(nn.Conv2d(before, width, 1, 2, bias=False), nn.BatchNorm2d(width))
            elif narrows:
                shortcut = Padded(width - before)
            layers.append(Block(before if i == 0 else width, width, 2 if narrows else 1, shortcut))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


def resnet18(widths=(64, 128, 256, 512)):
    return residual(widths, 2, project=True)


def resnet20():
    return residual((16, 32, 64), 3, project=False)
