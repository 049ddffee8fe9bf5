"""The CUDA kernels in Python: cuda_kernels.py load | compare OPS OPS_CUDA.

load: both libraries load, the operators are there for both devices, and a device that is missing is said to be.
compare: every operator on the GPU against the CPU; one line "ok NAME" each, or "skipped: REASON" without a GPU.
"""

import json
import sys

import torch

MODE, OPS, OPS_CUDA = sys.argv[1:4]
torch.ops.load_library(OPS)
torch.ops.load_library(OPS_CUDA)
esp = torch.ops.espalier

OPERATORS = """masked_sgd_ masked_adam_ ltp_gate_ ltp_step_ score_apply_ score_adam_ admm_penalty_ admm_shrink_
admm_keep_ admm_dual_ kth_magnitude select_lowest select_lowest_each select_lowest_between select_n_of_m
statistics raise_if_not_finite_""".split()


def load():
    for name in OPERATORS:
        for key in ("CPU", "CUDA", "Meta"):
            assert torch._C._dispatch_has_kernel_for_dispatch_key(f"espalier::{name}", key), (name, key)
    figures = esp.statistics([torch.tensor([0.0, 1.0, -2.0])])
    assert figures.tolist() == [[1, 0, 0, 3, 5]], figures
    if not torch.cuda.is_available():
        try:
            torch.zeros(3, device="cuda")
        except (RuntimeError, AssertionError) as error:
            assert "NVIDIA" in str(error) or "CUDA" in str(error), error
            print(f"ok a CUDA tensor is refused: {str(error).splitlines()[0]}")
        else:
            raise AssertionError("a CUDA tensor without a device")
    print(f"ok {len(OPERATORS)} operators have kernels for CPU, CUDA and meta")


SIZES = (1, 5, 16383, 16385, 121733, 3_000_000)


def world(dtype, device):
    """The same tensors on every device."""
    generator = torch.Generator().manual_seed(7)

    def random(kind=torch.float32, scale=1.0):
        return [(torch.randn(n, generator=generator) * scale).to(kind).to(device) for n in SIZES]

    w = {
        "weights": random(scale=0.5),
        "gradients": random(dtype),
        "momenta": random(scale=0.1),
        "second": [t.abs() for t in random(scale=0.1)],
        "averages": random(scale=0.5),
        "effective": random(dtype),
        "sparse": random(scale=0.5),
        "duals": random(scale=0.1),
        "steps": [torch.zeros((), device=device) for _ in SIZES],
        "masks": [(torch.rand(n, generator=generator) > 0.3).to(device) for n in SIZES],
    }
    count = len(SIZES)
    w["thresholds"] = (torch.rand(count, generator=generator, dtype=torch.float64) * 0.2).to(device)
    w["previous"] = w["thresholds"] * 0.5
    w["temperatures"] = torch.full((count,), 0.05, dtype=torch.float64, device=device)
    w["rates"] = torch.full((count,), 0.3, dtype=torch.float64, device=device)
    w["flag"] = torch.zeros(1, device=device)
    return w


def calls(w):
    """Each operator on these tensors; what it returns."""
    total = sum(SIZES)
    cuts = [n // 3 for n in SIZES]
    even = [t[: t.numel() // 4 * 4] for t in w["weights"]]
    lists = [w[k] for k in ("weights", "gradients", "momenta")]
    adam = [w[k] for k in ("momenta", "second", "steps")]
    return {
        "masked_sgd_": lambda: esp.masked_sgd_(
            *lists, w["masks"], w["averages"], w["effective"], learning_rate=0.1, momentum=0.9,
            weight_decay=1e-3, nesterov=True, average_decay=0.99, skip=w["flag"]),
        "masked_adam_": lambda: esp.masked_adam_(
            w["weights"], w["gradients"], *adam, w["masks"], w["averages"], w["effective"],
            learning_rate=0.1, weight_decay=1e-2, decoupled=True, average_decay=0.99),
        "ltp_gate_": lambda: esp.ltp_gate_(
            w["weights"], w["masks"], w["thresholds"], w["previous"], w["temperatures"],
            [1e9, 0.0] * (len(SIZES) // 2), w["effective"]),
        "ltp_step_": lambda: esp.ltp_step_(
            *lists, w["masks"], w["thresholds"], w["previous"], w["temperatures"], w["rates"], cost=1e-3,
            learning_rate=0.1, momentum=0.9, exact=True),
        "score_apply_": lambda: esp.score_apply_(w["weights"], w["sparse"], w["effective"], cut=0.05),
        "score_adam_": lambda: esp.score_adam_(
            w["sparse"], w["weights"], w["gradients"], *adam, learning_rate=0.01),
        "admm_penalty_": lambda: esp.admm_penalty_(
            w["gradients"], w["weights"], w["sparse"], w["duals"], w["masks"], rho=0.3),
        "admm_shrink_": lambda: esp.admm_shrink_(w["sparse"], w["weights"], w["duals"], w["masks"], delta=0.2),
        "admm_keep_": lambda: esp.admm_keep_(w["sparse"], w["weights"], w["duals"], w["masks"], kept=total // 5),
        "admm_dual_": lambda: esp.admm_dual_(w["duals"], w["weights"], w["sparse"]),
        "kth_magnitude": lambda: esp.kth_magnitude(w["weights"], total // 2),
        "select_lowest": lambda: esp.select_lowest(w["weights"], total // 2),
        "select_lowest_each": lambda: esp.select_lowest_each(w["weights"], cuts),
        "select_lowest_between": lambda: esp.select_lowest_between(
            w["weights"], sum(cuts), [c // 2 for c in cuts], [c + 2 for c in cuts]),
        "select_n_of_m": lambda: esp.select_n_of_m(even, 2, 4),
        "statistics": lambda: esp.statistics(w["gradients"]),
        "raise_if_not_finite_": lambda: esp.raise_if_not_finite_(w["flag"], w["gradients"]),
    }


def flat(value):
    if value is None:
        return []
    return [value] if isinstance(value, torch.Tensor) else [t for each in value for t in flat(each)]


def everything(w, result):
    return flat(result) + [t for value in w.values() for t in flat(value)]


def compare():
    if not torch.cuda.is_available():
        print("skipped: no CUDA device")
        return
    print(json.dumps({"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}))
    assert sorted(calls(world(torch.float32, "cpu"))) == sorted(OPERATORS)
    for name in OPERATORS:
        for dtype, unit in ((torch.float32, 2e-6), (torch.float16, 2e-3), (torch.bfloat16, 1.6e-2)):
            runs = []
            for device in ("cpu", "cuda", "cuda"):
                w = world(dtype, device)
                runs.append(everything(w, calls(w)[name]()))
            for cpu, gpu, again in zip(*runs):
                assert torch.equal(gpu, again), f"{name} {dtype}: two runs differ"
                if cpu.dtype == torch.bool:
                    assert torch.equal(cpu, gpu.cpu()), f"{name} {dtype}: masks differ"
                    continue
                near = unit if cpu.dtype == dtype else 2e-6
                # Sums: by their own size, or that of the sum of absolute terms in their row.
                slack = 1e-5 if cpu.dtype == torch.float64 else near
                scale = cpu.abs().max().item() if cpu.dtype == torch.float64 else 1.0
                assert torch.allclose(cpu.double(), gpu.cpu().double(), slack, slack * scale), f"{name} {dtype}"
        print(f"ok {name}")


{"load": load, "compare": compare}[MODE]()
