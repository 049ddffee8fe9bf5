"""Writes model files for the archive check: FOLDER/ordinary/*.pt must load, FOLDER/hostile/<CODE>-*.pt must not.

archive_models.py FOLDER
"""

import sys
import warnings
import zipfile
from pathlib import Path
from typing import Dict, Final, List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout2d(0.2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.drop(F.relu(self.norm(self.conv(x)))), 1)
        return F.softmax(self.fc(x.flatten(1)))


class Dropouts(nn.Module):
    def __init__(self):
        super().__init__()
        self.volumes = nn.Dropout3d(0.1)
        self.planes = nn.Sequential(nn.Dropout2d(0.1, inplace=True), nn.AlphaDropout(0.1), nn.FeatureAlphaDropout(0.1))
        self.rows = nn.Dropout1d(0.1)
        self.values = nn.Dropout(0.1, inplace=True)

    def forward(self, x):
        x = self.volumes(x.unsqueeze(2)).squeeze(2)
        x = self.rows(self.planes(x * 2).flatten(2))
        return F.dropout(self.values(x), 0.3, self.training)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(32, 8, batch_first=True)

    def forward(self, x):
        y, _ = self.lstm(self.embedding(x))
        y, _ = self.gru(y)
        return y[:, -1]


class Detection(nn.Module):
    """Loops, lists, dictionaries, optional values, early returns."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(3, 5, 1) for _ in range(3))
        self.names: Dict[str, int] = {"cat": 1, "dog": 2}
        self.scale: Optional[float] = None

    def boxes(self, scores: Tensor, threshold: float) -> List[Tuple[int, Tensor]]:
        found: List[Tuple[int, Tensor]] = []
        for i in range(scores.size(0)):
            kept = torch.nonzero(scores[i] > threshold)
            if kept.numel() == 0:
                continue
            found.append((i, kept))
        return found

    def forward(self, x: Tensor, threshold: Optional[float] = None) -> Dict[str, Tensor]:
        out: Dict[str, Tensor] = {}
        for index, head in enumerate(self.heads):
            y = head(x)
            if threshold is not None:
                boxes = self.boxes(y, threshold)
                if len(boxes) > 3:
                    return {"many": y}
            scale = self.scale
            if scale is not None:
                y = y * scale
            out[f"head{index}"] = y
        while out["head0"].sum() > 1e9:
            out["head0"] = out["head0"] / 2
        return out


class Talkative(nn.Module):
    def forward(self, x):
        print("shape", x.shape)
        if x.dim() != 2:
            warnings.warn("expected a matrix")
        assert x.size(0) > 0, "an empty batch"
        with torch.no_grad():
            y = x * 2
        return y.t().contiguous().view(-1).unfold(0, 2, 1)


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    @torch.jit.export
    def __getstate__(self):
        return self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]

    def forward(self, x):
        return x * self.weight


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)

        def before(module, inputs: Tuple[Tensor]) -> Tuple[Tensor]:
            return (inputs[0] + 1,)

        def after(module, inputs: Tuple[Tensor], output: Tensor) -> Tensor:
            return output * 2

        self.inner.register_forward_pre_hook(before)
        self.inner.register_forward_hook(after)

    def forward(self, x):
        return self.inner(x)


@torch.jit.interface
class Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Interfaced(nn.Module):
    step: Step

    def __init__(self):
        super().__init__()
        self.step = Double()

    def forward(self, x: Tensor) -> Tensor:
        return self.step.forward(x)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


class Long(nn.Module):
    """A chain of single-use values, which serialisation nests into each other."""

    def forward(self, x):
        for _ in range(600):
            x = torch.relu(x + 1)
        return x


class Branches(nn.Module):
    """Twenty alternatives, which serialisation nests into each other."""

    def forward(self, x: Tensor, kind: int) -> Tensor:
        if kind == 0:
            x = x + 0
        elif kind == 1:
            x = x + 1
        elif kind == 2:
            x = x + 2
        elif kind == 3:
            x = x + 3
        elif kind == 4:
            x = x + 4
        elif kind == 5:
            x = x + 5
        elif kind == 6:
            x = x + 6
        elif kind == 7:
            x = x + 7
        elif kind == 8:
            x = x + 8
        elif kind == 9:
            x = x + 9
        elif kind == 10:
            x = x + 10
        elif kind == 11:
            x = x + 11
        else:
            x = x - 1
        return x


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        for name, dtype in {"f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}.items():
            self.register_buffer(name, torch.ones(2, 3, dtype=dtype))
        self.register_buffer("flags", torch.tensor([True, False]))
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("scalar", torch.tensor(3))
        self.register_buffer("expanded", torch.ones(1, 3).expand(5, 3))
        self.register_buffer("turned", torch.ones(4, 3).t())
        self.register_buffer("part", torch.ones(10)[3:7])
        self.register_buffer("pairs", torch.ones(2, dtype=torch.complex64))
        self.words: List[str] = ["one", "two"]
        self.table: Dict[str, List[int]] = {"a": [1, 2], "b": []}

    def forward(self, x):
        return x + self.f64.sum() + self.part.sum() + len(self.words)


def ordinary():
    image = torch.rand(2, 3, 8, 8)
    modules = {
        "plain": (Plain(), image),
        "dropouts": (Dropouts(), image),
        "attention": (Attention(), torch.rand(2, 5, 16)),
        "encoder": (
            nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2),
            torch.rand(2, 5, 16),
        ),
        "recurrent": (Recurrent(), torch.randint(0, 20, (2, 7))),
        "stateful": (Stateful(), torch.rand(2, 3)),
        "tied": (Tied(), torch.rand(2, 4)),
        "long": (Long(), torch.rand(2, 4)),
        "mixed": (Mixed(), torch.rand(2, 3)),
        "talkative": (Talkative(), torch.rand(3, 4)),
    }
    for name, (module, inputs) in modules.items():
        yield f"{name}-scripted", torch.jit.script(module)
        if name != "stateful":
            yield f"{name}-traced", torch.jit.trace(module.eval(), inputs, check_trace=False)
    yield "traced-train", torch.jit.trace(Plain().train(), image, check_trace=False)
    yield "frozen", torch.jit.freeze(torch.jit.script(Plain().eval()))
    yield "frozen-lstm", torch.jit.freeze(torch.jit.script(Recurrent().eval()))
    for module in (Detection(), Hooked(), Interfaced(), Branches()):
        yield type(module).__name__.lower(), torch.jit.script(module)
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), {nn.Linear})
    yield "quantized-scripted", torch.jit.script(quantized)
    yield "quantized-traced", torch.jit.trace(quantized, torch.rand(2, 8))
    static = torch.ao.quantization.QuantWrapper(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    static.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = torch.ao.quantization.prepare(static.eval())
    prepared(image)
    yield "quantized-static", torch.jit.script(torch.ao.quantization.convert(prepared))


class Saves(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "/nowhere/written")
        return x


class Reads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_file("/etc/passwd", False, 100, dtype=torch.uint8)


class Strided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.as_strided([100], [1], 50)


class Sets(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros(3)
        y.set_(x)
        return y


class Reinterprets(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.inductor._reinterpret_tensor(x, [1000], [1], 0)


class InSetstate(Stateful):
    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = torch.from_file("/etc/passwd", False, 100)
        self.training = state[1]


class RunsAtLoad(Stateful):
    """Leaves a file where its code has run."""

    ran: Final[str]

    def __init__(self, ran: str):
        super().__init__()
        self.ran = ran

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        torch.save(state[0], self.ran)
        self.weight = state[0]
        self.training = state[1]


class Endless(Stateful):
    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = state[0]
        self.training = state[1]
        while state[0].numel() > 0:
            self.training = not self.training


class EndlessInCall(Stateful):
    @torch.jit.export
    def wait(self, x: Tensor) -> Tensor:
        for _ in range(1 << 60):
            x = x + 1
        return x

    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = self.wait(state[0])
        self.training = state[1]


@torch.jit.interface
class Waits:
    def wait(self, x: Tensor) -> Tensor:
        pass


@torch.jit.script
class Waiter:
    def __init__(self):
        self.turns = 0

    def wait(self, x: Tensor) -> Tensor:
        while x.numel() > 0:
            x = x + 1
        return x


def ask(whom: Waits, x: Tensor) -> Tensor:
    return whom.wait(x)


class EndlessOverInterface(Stateful):
    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = ask(Waiter(), state[0])
        self.training = state[1]


def wait_for(x: Tensor) -> Tensor:
    while x.numel() > 0:
        x = x + 1
    return x


class EndlessInFork(Stateful):
    @torch.jit.export
    def __setstate__(self, state: Tuple[Tensor, bool]):
        self.weight = torch.jit.wait(torch.jit.fork(wait_for, state[0]))
        self.training = state[1]


class InBranch(nn.Module):
    def helper(self, x: Tensor) -> Tensor:
        for _ in range(3):
            if x.numel() > 10:
                x.resize_([5])
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.helper(x)


def hostile(folder):
    def script(module):
        return torch.jit.script(module)

    yield "UNSAFE-saves", script(Saves())
    yield "UNSAFE-reads", script(Reads())
    yield "UNSAFE-as-strided", script(Strided())
    yield "UNSAFE-set", script(Sets())
    yield "UNSAFE-reinterprets", script(Reinterprets())
    yield "UNSAFE-in-setstate", script(InSetstate())
    yield "UNSAFE-runs-at-load", script(RunsAtLoad(str(folder / "ran")))
    yield "UNSAFE-in-branch", script(InBranch())
    yield "UNSAFE-endless-load", script(Endless())
    yield "UNSAFE-endless-load-in-call", script(EndlessInCall())
    yield "UNSAFE-endless-load-over-interface", script(EndlessOverInterface())
    yield "UNSAFE-endless-load-in-fork", script(EndlessInFork())
    hooked = Hooked()

    def reading(module, inputs: Tuple[Tensor]) -> Tuple[Tensor]:
        return (torch.from_file("/etc/passwd", False, 100),)

    hooked.inner.register_forward_pre_hook(reading)
    yield "UNSAFE-in-hook", script(hooked)


def rewritten(source, target, changes):
    """A copy of an archive with some records' bytes replaced, checksums and all."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            name = info.filename.split("/", 1)[1]
            after.writestr(info.filename, changes.get(name, lambda bytes: bytes)(content))


def replacing(old, new):
    def change(content):
        assert old in content, (old, content)
        return content.replace(old, new)

    return change


def main(folder):
    for kind, models in (("ordinary", ordinary()), ("hostile", hostile(folder))):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, module in models:
            torch.jit.save(module, str(folder / kind / f"{name}.pt"))
    code = "code/__torch__.py"
    double = folder / "double.pt"
    torch.jit.save(torch.jit.script(Double()), str(double))
    call = b"torch.mul(x, 2)"
    edits = {
        "UNSUPPORTED-namespace": (call, b"ops.elsewhere.steal(x)"),
        # libtorch has no operator that reaches these: whoever names one finds nothing.
        "UNSUPPORTED-environment": (call, b"ops.os.getenv(x)"),
        "UNSUPPORTED-process": (call, b"ops.subprocess.run(x)"),
        "LOAD-recursion": (call, b"(self).forward(x, )"),
        "LOAD-unknown-operator": (call, b"torch.no_such_operator(x)"),
        "UNSAFE-python": (call, b"ops.prim.PythonOp(x)"),
        "UNSAFE-reinterpret": (call, b"ops.inductor._reinterpret_tensor(x, [9], [1], 0)"),
        "LOAD-parentheses": (call, b"(" * 20000 + b"x" + b")" * 20000),
        "LOAD-minus-chain": (call, b"-" * 20000 + b"x"),
        "LOAD-plus-chain": (call, b"x" + b" + x" * 20000),
        "LOAD-lambda": (call, b"lambda y: y"),
    }
    for name, (old, new) in edits.items():
        rewritten(double, folder / "hostile" / f"{name}.pt", {code: replacing(old, new)})
    # The scripted file again, through another zip writer: deflated, and with its records reordered.
    with zipfile.ZipFile(folder / "ordinary" / "plain-scripted.pt") as before:
        with zipfile.ZipFile(folder / "ordinary" / "rezipped.pt", "w", zipfile.ZIP_DEFLATED) as after:
            for info in reversed(before.infolist()):
                after.writestr(info.filename, before.read(info))
    double.unlink()
    torch.save({"weight": torch.ones(3)}, folder / "hostile" / "LOAD-state-dict.pt")


if __name__ == "__main__":
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
