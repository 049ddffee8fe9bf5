"""Compares the saved zoo with torch.nn: names, counts, order, logits, running statistics and gradients.

zoo.py FOLDER  reads FOLDER/<variant>.pt and prints one line a comparison; exits 1 when one failed.
"""

import io
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x):
        return (x - self.mean) / self.std


class Classifier(nn.Module):
    """A body behind an optional normalisation, registered last so that parameters keep their order."""

    def finish(self, normalize):
        if normalize:
            self.normalize = Normalize(*normalize)

    def forward(self, x):
        if hasattr(self, "normalize"):
            x = self.normalize(x)
        return self.body(x)


class LeNet5(Classifier):
    def __init__(self, classes, channels, size):
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def body(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class ConvBlock(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class ConvNet(Classifier):
    def __init__(self, classes, channels, widths):
        super().__init__()
        self.blocks = nn.ModuleList(ConvBlock(a, b) for a, b in zip([channels, *widths], widths))
        self.fc = nn.Linear(widths[-1], classes)

    def body(self, x):
        for index, block in enumerate(self.blocks):
            x = block(F.max_pool2d(x, 2) if index else x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class VGG11(Classifier):
    def __init__(self, classes, channels, widths):
        super().__init__()
        layers = []
        for index, width in enumerate(widths):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            if index in (0, 1, 3, 5, 7):
                layers.append(nn.MaxPool2d(2))
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def body(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class BasicBlock(nn.Module):
    def __init__(self, channels, width, stride, project):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = lambda x: x
        if stride != 1 or channels != width:
            if project:
                self.downsample = nn.Sequential(
                    nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
                )
                self.shortcut = lambda x: self.downsample(x)
            else:
                self.shortcut = lambda x: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, width - channels))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet(Classifier):
    def __init__(self, classes, stem, widths, depth, project, pool=None):
        super().__init__()
        self.conv1 = stem
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.pool = pool
        channels = widths[0]
        for index, width in enumerate(widths):
            blocks = []
            for number in range(depth):
                blocks.append(BasicBlock(channels, width, 2 if index and not number else 1, project))
                channels = width
            setattr(self, f"layer{index + 1}", nn.Sequential(*blocks))
        self.stages = len(widths)
        self.fc = nn.Linear(channels, classes)

    def body(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.pool:
            x = self.pool(x)
        for index in range(self.stages):
            x = getattr(self, f"layer{index + 1}")(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


COLOUR = ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])
SMALL_STEM = lambda width: nn.Conv2d(3, width, 3, 1, 1, bias=False)
VGG = [64, 128, 256, 256, 512, 512, 512, 512]
# Variant: the torch.nn module, its normalisation, the shape of an image.
VARIANTS = {
    "lenet5": (lambda: LeNet5(10, 3, 32), None, (3, 32, 32)),
    "lenet5-28": (lambda: LeNet5(7, 1, 28), ([0.5], [0.25]), (1, 28, 28)),
    "convnet": (lambda: ConvNet(10, 3, [32, 64, 128]), None, (3, 32, 32)),
    "convnet-wide": (lambda: ConvNet(10, 3, [8, 12, 16, 20]), COLOUR, (3, 32, 32)),
    "vgg11": (lambda: VGG11(10, 3, VGG), None, (3, 32, 32)),
    "vgg11-narrow": (lambda: VGG11(10, 3, [4, 6, 8, 8, 10, 10, 12, 12]), COLOUR, (3, 32, 32)),
    "resnet20": (lambda: ResNet(10, SMALL_STEM(16), [16, 32, 64], 3, False), None, (3, 32, 32)),
    "resnet18": (lambda: ResNet(10, SMALL_STEM(64), [64, 128, 256, 512], 2, True), None, (3, 32, 32)),
    "resnet18-imagenet": (
        lambda: ResNet(
            20,
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            [64, 128, 256, 512],
            2,
            True,
            lambda x: F.max_pool2d(x, 3, 2, 1),
        ),
        COLOUR,
        (3, 96, 96),
    ),
}


def distance(actual, expected):
    """The largest difference, relative to the largest expected value."""
    return ((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-12)).item()


def compare(name, path):
    build, normalize, shape = VARIANTS[name]
    ours = torch.jit.load(path)
    theirs = build()
    theirs.finish(normalize)
    problems = []

    def expect(what, holds):
        if not holds:
            problems.append(what)

    described = lambda tensors: [(key, tuple(value.shape), value.dtype) for key, value in tensors]
    expect("parameter names, shapes and order", described(ours.named_parameters()) == described(theirs.named_parameters()))
    expect("buffer names and shapes", sorted(described(ours.named_buffers())) == sorted(described(theirs.named_buffers())))
    expect("requires_grad", all(p.requires_grad for p in ours.parameters()))
    theirs.load_state_dict(ours.state_dict())

    generator = torch.Generator().manual_seed(1)
    images = torch.rand((6, *shape), generator=generator)
    labels = torch.arange(6) % 5
    for step in range(2):
        ours.train()
        theirs.train()
        logits, expected = ours(images), theirs(images)
        expect(f"train logits, step {step}", distance(logits, expected) <= 1e-5)
        ours.zero_grad()
        theirs.zero_grad()
        F.cross_entropy(logits, labels).backward()
        F.cross_entropy(expected, labels).backward()
        for (key, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters()):
            expect(f"gradient of {key}, step {step}", (a.grad - b.grad).norm() <= 1e-4 * b.grad.norm() + 1e-7)
    for key, value in theirs.state_dict().items():
        expect(f"state of {key} after training steps", distance(ours.state_dict()[key].float(), value.float()) <= 1e-5)
    ours.eval()
    theirs.eval()
    with torch.no_grad():
        logits, expected = ours(images), theirs(images)
        expect("eval logits", distance(logits, expected) <= 1e-5)
        saved = io.BytesIO()
        torch.jit.save(ours, saved)
        saved.seek(0)
        expect("logits of the file saved again", torch.equal(torch.jit.load(saved)(images), logits))
    return problems


def main(folder):
    failed = 0
    for name in VARIANTS:
        problems = compare(name, str(Path(folder) / f"{name}.pt"))
        failed += bool(problems)
        print(f"FAILED {name}: {'; '.join(problems[:5])}" if problems else f"ok {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    torch.manual_seed(0)
    sys.exit(main(sys.argv[1]))
