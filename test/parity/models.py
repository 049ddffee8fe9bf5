"""Writes the models that the graph is tested on, scripted and traced, with what PyTorch makes of them.

usage: models.py FOLDER, or models.py --check FOLDER: whether each NAME.VARIANT.pt.saved, written by Espalier,
gives the eager eval outputs after .eval()

For every model: NAME.VARIANT.pt (scripted, traced-eval, traced-train, frozen) and NAME.reference.pt, a
dictionary { inputs, eval, train, gradients } of flat lists of tensors: the eager outputs in both modes (the
training one after torch.manual_seed(7)) and the gradients of sum(output ** 2) in training.
"""

import os
import sys
import warnings
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.2))
        self.fc = nn.Linear(8 * 4 * 4, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.features(x), 1))


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: Optional[nn.Module] = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(BasicBlock(8, 8, 1), BasicBlock(8, 8, 1))
        self.layer2 = nn.Sequential(BasicBlock(8, 12, 2), BasicBlock(12, 12, 1))
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down = nn.Conv2d(channels, 4, 1)
        self.up = nn.Conv2d(4, channels, 1)

    def forward(self, x):
        s = F.relu(self.down(x.mean([2, 3], keepdim=True)))
        return x * F.hardsigmoid(self.up(s))


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(True))
        self.expand = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(True))
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16))
        self.se = SqueezeExcite(16)
        self.project = nn.Sequential(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 5))

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.se(F.relu6(self.depthwise(self.expand(x)))))
        return self.head(x.mean([2, 3]))


class Concatenation(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 4, 1)
        self.b = nn.Conv2d(3, 5, 3, padding=1)
        self.up = nn.ConvTranspose2d(9, 6, 2, 2)
        self.norm = nn.GroupNorm(2, 6)
        self.inorm = nn.InstanceNorm2d(6, affine=True)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        y = torch.cat([self.a(x), F.leaky_relu(self.b(x), 0.1)], 1)
        return self.fc(self.inorm(self.norm(self.up(y))).amax([2, 3]))


class EncoderLayer(nn.Module):
    def __init__(self, d, heads, hidden):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.up, self.down = nn.Linear(d, hidden), nn.Linear(hidden, d)
        self.drop = nn.Dropout(0.1)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.n1(x)
        q, k, v = self.split(self.q(h)), self.split(self.k(h)), self.split(self.v(h))
        a = (q @ k.transpose(-2, -1) / 2.0).softmax(-1) @ v
        x = x + self.drop(self.o(a.transpose(1, 2).reshape(x.shape)))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.position = nn.Parameter(torch.randn(1, 6, 16) * 0.1)
        self.layers = nn.ModuleList([EncoderLayer(16, 4, 24) for _ in range(2)])
        self.head = nn.Linear(16, 5)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids) + self.position
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


class TorchEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 24, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x)[:, 0])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        y, w = self.attention(x, x, x)
        assert w is not None
        return self.head(y.mean(1)) + w.mean()


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.lstm(x)
        return self.fc(y[:, -1])


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 6)
        self.cell = nn.LSTMCell(6, 7)
        self.fc = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.gru(x)
        h = torch.zeros(x.size(1), 7)
        c = torch.zeros(x.size(1), 7)
        for t in range(4):
            h, c = self.cell(y[t], (h, c))
        return self.fc(h)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 8)
        self.a = nn.Linear(8, 8)
        self.b = nn.Linear(8, 8)
        self.b.weight = self.a.weight
        self.shared = self.a
        self.decoder = nn.Linear(8, 12, bias=False)
        self.decoder.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = torch.tanh(self.a(self.embed(ids)))
        x = torch.tanh(self.b(x))
        return self.decoder(torch.tanh(self.shared(x))).mean(1)


class Branches(nn.Module):
    """Data-dependent branches and loops; one layer is called a changing number of times."""

    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(6, 8)
        self.loop = nn.Linear(8, 8)
        self.left = nn.Linear(8, 5)
        self.right = nn.Linear(8, 5)

    def forward(self, x: Tensor, steps: int = 3) -> Tensor:
        h = torch.relu(self.inp(x))
        for i in range(steps):
            h = torch.tanh(self.loop(h))
            if bool(h.sum() > 1000.0):
                h = self.loop(h)
        if bool(x.sum() > 0):
            out = self.left(h)
        else:
            out = self.right(h)
        return out


@torch.jit.interface
class Stage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class StageA(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.fc(x))


class Interface(nn.Module):
    stage: Stage

    def __init__(self):
        super().__init__()
        self.stage = StageA()
        self.out = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.stage.forward(x))


class Mixed(nn.Module):
    """Parameters and buffers of several dtypes, no image."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(4, 6).double()
        self.narrow = nn.Linear(6, 5)
        self.register_buffer("scale", torch.tensor([2], dtype=torch.int32))
        self.register_buffer("allowed", torch.tensor([True, True, False, True]))
        self.register_buffer("scratch", torch.ones(3, dtype=torch.float16), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.wide(torch.where(self.allowed, x, torch.zeros_like(x)).double())
        return self.narrow(y.float()) * self.scale


class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def forward(self, inputs: Dict[str, Tensor]) -> Dict[str, Tensor]:
        x = self.fc(inputs["x"])
        return {"logits": x, "doubled": x + inputs["y"]}


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, List[Tensor]]:
        return self.fc(x), [x + y, y]


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


def doubled(self, input: Tuple[Tensor]) -> Tuple[Tensor]:
    return (input[0] * 2,)


def shifted(self, input: Tuple[Tensor], output: Tensor) -> Tensor:
    return output + 1


def hooked():
    net = Hooked()
    net.register_forward_pre_hook(doubled)
    net.register_forward_hook(shifted)
    return net


class SetState(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 6))
        self.factor = 2.0

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight) * self.factor

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]
        self.factor = 2.0


class Unfollowed(nn.Module):
    """A weight that is computed and one that an index chooses: the rest must still be found."""

    def __init__(self):
        super().__init__()
        self.plain = nn.Linear(6, 6)
        self.direction = nn.Parameter(torch.randn(6, 6))
        self.bank = nn.ParameterList([nn.Parameter(torch.randn(6, 6)) for _ in range(2)])
        self.out = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(self.plain(x), self.direction / self.direction.norm())
        banks = [self.bank[0], self.bank[1]]
        x = F.linear(x, banks[int(x.size(0)) % 2])
        return self.out(x)


class Stateful(nn.Module):
    """Writes an attribute and a buffer in every forward."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.calls = 0
        self.register_buffer("total", torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        if self.training:
            self.calls += 1
            self.total += y.detach().sum(0)
        return y + float(self.calls) * 0.5


class Recurrent(nn.Module):
    """A plain RNN with projection, a 1-D convolution and a layer norm over its output."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 8, 3, padding=1)
        self.norm = nn.BatchNorm1d(8, affine=False)
        self.rnn = nn.RNN(8, 7, batch_first=True)
        self.fc = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.rnn(self.norm(self.conv(x)).transpose(1, 2))
        return self.fc(y.mean(1))


def image():
    return (torch.randn(4, 3, 8, 8),)


def vectors(*shape):
    return (torch.randn(*shape),)


# name: (constructor, inputs, variants)
ALL = ("scripted", "traced-eval", "traced-train")
MODELS = {
    "convnet": (ConvNet, image, ALL + ("frozen",)),
    "resnet": (ResNet, image, ALL + ("frozen",)),
    "mobilenet": (MobileNet, image, ALL),
    "concatenation": (Concatenation, image, ALL),
    "encoder": (Encoder, lambda: (torch.randint(0, 20, (3, 6)),), ALL),
    "torch-encoder": (TorchEncoder, lambda: vectors(3, 6, 16), ALL),
    "attention": (Attention, lambda: vectors(3, 6, 16), ALL),
    "lstm": (Lstm, lambda: vectors(3, 4, 8), ALL + ("frozen",)),
    "gru": (Gru, lambda: vectors(4, 3, 8), ALL),
    "tied": (Tied, lambda: (torch.randint(0, 12, (3, 6)),), ALL),
    "branches": (Branches, lambda: vectors(3, 6), ("scripted",)),
    "interface": (Interface, lambda: vectors(3, 6), ("scripted",)),
    "mixed": (Mixed, lambda: vectors(3, 4), ALL),
    "dictionary": (Dictionary, lambda: ({"x": torch.randn(3, 6), "y": torch.randn(3, 5)},), ("scripted",)),
    "pair": (Pair, lambda: (torch.randn(3, 6), torch.randn(3, 6)), ALL),
    "hooked": (hooked, lambda: vectors(3, 6), ("scripted",)),
    "setstate": (SetState, lambda: vectors(3, 6), ("scripted",)),
    "unfollowed": (Unfollowed, lambda: vectors(3, 6), ("scripted", "traced-eval")),
    "stateful": (Stateful, lambda: vectors(3, 6), ("scripted",)),
    "recurrent": (Recurrent, lambda: vectors(3, 6, 4), ALL),
}


def flat(value):
    if isinstance(value, Tensor):
        return [value.detach().clone()]
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    return [tensor for item in value for tensor in flat(item)]


def loss(value):
    if isinstance(value, Tensor):
        return value.float().square().sum()
    items = [value[key] for key in sorted(value)] if isinstance(value, dict) else value
    return sum(loss(item) for item in items)


def build(make):
    torch.manual_seed(1)
    net = make()
    for module in net.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return net


def exported(net, variant, inputs):
    if variant == "scripted":
        return torch.jit.script(net)
    if variant == "frozen":
        return torch.jit.freeze(torch.jit.script(net.eval()))
    net.train(variant == "traced-train")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    traced = torch.jit.trace(net, inputs, check_trace=False)
    traced.load_state_dict(before, strict=False)  # tracing in training moved the running statistics
    return traced


def reference(net, inputs):
    net.eval()
    with torch.no_grad():
        evaluated = flat(net(*inputs))
    net.train()
    torch.manual_seed(7)
    output = net(*inputs)
    loss(output).backward()
    gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"inputs": list(inputs), "eval": evaluated, "train": flat(output), "gradients": gradients,
            "buffers": dict(net.named_buffers())}


def main(folder):
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    os.makedirs(folder, exist_ok=True)
    for name, (make, inputs_of, variants) in MODELS.items():
        torch.manual_seed(3)
        inputs = inputs_of()
        torch.save(reference(build(make), inputs), os.path.join(folder, f"{name}.reference"))
        for variant in variants:
            model = exported(build(make), variant, inputs)
            model.save(os.path.join(folder, f"{name}.{variant}.pt"))


def check(folder):
    torch.set_num_threads(1)
    saved = sorted(name for name in os.listdir(folder) if name.endswith(".pt.saved"))
    assert saved, "nothing was saved"
    for name in saved:
        expected = torch.load(os.path.join(folder, name.split(".")[0] + ".reference"))
        model = torch.jit.load(os.path.join(folder, name)).eval()
        with torch.no_grad():
            outputs = flat(model(*expected["inputs"]))
        # Attention takes a fused path in eager mode, and freezing folds norms.
        exact = not name.startswith(("attention", "torch-encoder")) and "frozen" not in name
        for output, wanted in zip(outputs, expected["eval"], strict=True):
            same = torch.equal(output, wanted) if exact else torch.allclose(output, wanted, rtol=1e-5, atol=1e-6)
            assert same, f"{name}: {(output - wanted).abs().max()} from the eager outputs"


if __name__ == "__main__":
    check(sys.argv[2]) if sys.argv[1] == "--check" else main(sys.argv[1])
