"""The same bits for any number of threads, in two runs and for AVX2 and AVX-512; the baseline close to them."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile

import torch
from common import EFFECTIVE_TYPES, Case, copies, main, masks_of, normal, ops, zeros

SIZES = (0, 1, 13, 1040, 16384, 100003, 300007)


def outputs():
    """Every operator's results on the same inputs, by name."""
    weights, sparse, duals = normal(1, SIZES), normal(2, SIZES), normal(3, SIZES)
    masks = [m if i % 2 else None for i, m in enumerate(masks_of(4, weights))]
    count = len(SIZES)
    out = {}
    for dtype in EFFECTIVE_TYPES:
        gradients = normal(5, SIZES, dtype)
        effective = [torch.zeros_like(g) for g in gradients]
        w, m, a = copies(weights), copies(sparse), copies(duals)
        for _ in range(3):
            ops.masked_sgd_(w, gradients, m, masks, a, effective, learning_rate=0.1, momentum=0.9, weight_decay=1e-3,
                            nesterov=True, average_decay=0.9)  # fmt: skip
        out[f"sgd {dtype}"] = [*w, *m, *a, *effective]
        w, m, v, steps = copies(weights), zeros(weights), zeros(weights), [torch.zeros(1) for _ in weights]
        for _ in range(3):
            ops.masked_adam_(w, gradients, m, v, steps, masks, [], effective, learning_rate=0.1, weight_decay=1e-2, decoupled=True)
        out[f"adam {dtype}"] = [*w, *m, *v, *effective]
        for exact in (False, True):
            w, m = copies(weights), zeros(weights)
            thresholds, previous = torch.full((count,), 0.4).double(), torch.zeros(count).double()
            temperatures, rates = torch.full((count,), 0.05).double(), torch.ones(count).double()
            results = []
            for _ in range(3):
                results += [ops.ltp_gate_(w, masks, thresholds, previous, temperatures, [1.0] * count, effective)]
                results += [ops.ltp_step_(w, gradients, m, masks, thresholds, previous, temperatures, rates, cost=1e-4,
                                          learning_rate=0.01, momentum=0.9, exact=exact)]  # fmt: skip
            out[f"ltp {dtype} {exact}"] = [*w, *m, *effective, thresholds, *results]
        scores = copies(sparse)
        kept = ops.score_apply_(weights, scores, effective, cut=0.1)
        m, v, steps = zeros(weights), zeros(weights), [torch.zeros(1) for _ in weights]
        ops.score_adam_(scores, weights, gradients, m, v, steps, learning_rate=0.1)
        out[f"scores {dtype}"] = [*scores, *effective, kept, *m, *v]
        gradients = copies(gradients)
        out[f"penalty {dtype}"] = [ops.admm_penalty_(gradients, weights, sparse, duals, masks, rho=0.3), *gradients]
        out[f"statistics {dtype}"] = [ops.statistics(gradients)]
    z, u = copies(sparse), copies(duals)
    out["shrink"] = [ops.admm_shrink_(z, weights, u, masks, delta=0.3), *z]
    out["keep"] = [*ops.admm_keep_(z, weights, u, masks, kept=100000), *z]
    out["dual"] = [ops.admm_dual_(u, weights, z), *u]
    images = normal(7, (6 * 19 * 12 * 10,))[0].view(6, 19, 12, 10).contiguous(memory_format=torch.channels_last)
    weight, bias = normal(8, (19, 19))
    for training, pooled in itertools.product((True, False), (False, True)):
        mean, variance = torch.zeros(19), torch.ones(19)
        y, statistics, chosen = ops.batch_norm_relu_forward_(
            images, weight, bias, mean, variance, training, 0.1, 1e-5, pooled
        )
        parts = ops.batch_norm_relu_backward(
            y.sin(), images, weight, bias, statistics, chosen, training, [True] * 3
        )
        out[f"norm {training} {pooled}"] = [y, statistics, chosen, mean, variance, *parts]
        half, *rest = ops.batch_norm_relu_forward_(
            images.bfloat16(), weight, bias, mean, variance, training, 0.1, 1e-5, pooled
        )
        parts = ops.batch_norm_relu_backward(half.sin(), images.bfloat16(), weight, bias, *rest, training, [True] * 3)
        out[f"norm bfloat16 {training} {pooled}"] = [half, *rest, *parts]
    for training in (True, False):
        mean, variance = torch.zeros(19), torch.ones(19)
        for x in (images, images.bfloat16()):
            y, statistics = ops.batch_norm_add_relu_forward_(
                x, weight, bias, x.cos(), mean, variance, training, 0.1, 1e-5
            )
            parts = ops.batch_norm_add_relu_backward(y.sin(), x, y, weight, statistics, training, [True] * 3)
            out[f"residual norm {x.dtype} {training}"] = [y, statistics, mean, variance, *parts]
    out["relu pool"] = [ops.relu_pool(images)]
    averages = ops.average_pool(images, 5, 3)
    out["average pool"] = [averages, ops.average_pool_backward(averages, 12, 10)]
    large = normal(6, (2**20 + 3,))
    for share in (0.1, 0.5, 0.9):
        out[f"select {share}"] = [*ops.select_lowest(large, round(large[0].numel() * share)), *ops.select_lowest(weights, round(sum(SIZES) * share))]
    return out


def digests(results):
    def digest(tensors):
        hashed = hashlib.sha256()
        for t in tensors:
            hashed.update(t.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return hashed.hexdigest()

    return {name: digest(tensors) for name, tensors in results.items()}


def child(capability, threads, file=None):
    env = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    args = [sys.executable, __file__, "--child", str(threads), *([file] if file else [])]
    return json.loads(subprocess.run(args, env=env, check=True, capture_output=True, text=True).stdout)


def run_child(threads, file=None):
    torch.set_num_threads(threads)
    results = outputs()
    if file:
        torch.save(results, file)
    print(json.dumps({"set": ops.instruction_set(), "digests": digests(results)}))


def capabilities():
    known = ["default", "avx2", "avx512"]
    return known[: known.index(torch.backends.cpu.get_cpu_capability().lower()) + 1]


class Determinism(Case):
    def test_threads_and_runs(self):
        before = torch.get_num_threads()
        expected = digests(outputs())
        for threads in (1, 2, 2, 3, 4, 7):
            torch.set_num_threads(threads)
            self.assertEqual(digests(outputs()), expected, f"{threads} threads")
        torch.set_num_threads(before)

    def test_instruction_sets(self):
        with tempfile.TemporaryDirectory() as folder:
            found = {name: child(name, 3, f"{folder}/{name}.pt") for name in capabilities()}
            sets = {"default": "baseline", "avx2": "avx2", "avx512": "avx512"}
            self.assertEqual({name: f["set"] for name, f in found.items()}, {name: sets[name] for name in found})
            lanes = [name for name in found if name != "default"]
            for name in lanes[1:]:
                self.assertEqual(found[name]["digests"], found[lanes[0]]["digests"], f"{name} and {lanes[0]}")
            if lanes:
                self.close(*(torch.load(f"{folder}/{name}.pt") for name in ("default", lanes[0])))

    def close(self, baseline, lanes):
        """Of the largest value of a tensor; a rounding of a half type may fall the other way."""
        for name, tensors in lanes.items():
            for l, b in zip(tensors, baseline[name], strict=True):
                if l.numel() == 0 or name.startswith("select"):
                    self.assert_same(b, l, name)
                    continue
                bound = {torch.float16: 2e-3, torch.bfloat16: 1e-2}.get(l.dtype, 2e-6)
                self.assert_within(b, l, bound * float(l.double().abs().max()), name)


if __name__ == "__main__":
    if "--child" in sys.argv:
        run_child(int(sys.argv[2]), *sys.argv[3:])
    else:
        main()
