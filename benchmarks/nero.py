"""How fast images turn and orbits run, against what one would write instead. One thread throughout.

Both sides deliver the same: a float32 (b, e, c, h, w) batch, or probabilities. ``python -m
benchmarks nero``
prints the table; goals and how they were reached are in ``docs/results/nero.md``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from backend import catalog, datasets, devices
from backend.nero import evaluate, orbits, resample
from backend.protocols import F32, U8
from backend.torch_backend import TorchBackend
from benchmarks.table import Row, compare
from models.load import load_module

ORBIT = orbits.rotations(72)
BATCHES = (16, 32, 64, 128, 256)
MODEL = "digits-plain"


def rows() -> list[Row]:
    """All rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            transform("28 px, 64 digits", _digits(64), goal=25.0),
            transform("224 px RGB, 2 photographs", _photos(2), goal=3.0),
            end_to_end(),
            half_precision(),
            nearly_free(),
            *forward(),
            linked_view(),
            memory(),
        ]
    finally:
        torch.set_num_threads(threads)


def transform(what: str, images: U8, goal: float) -> Row:
    """The whole orbit of images (b, c, s, s) uint8 as the batch a model wants."""
    rotator = resample.rotator(tuple(ORBIT.angles_deg.tolist()), images.shape[-1])
    batch = np.empty((len(images), ORBIT.size, *images.shape[1:]), np.float32)
    theirs = np.empty_like(batch)
    ours_s, pillow_s = compare(
        lambda: rotator.apply(images, out=batch), lambda: pillow(images, theirs)
    )
    exact = parity(images, batch)
    apart = np.abs(batch - theirs)[..., _inside(images.shape[-1])].max()
    count = len(images) * ORBIT.size
    return Row(
        f"orbit transform, {what}, NCHW delivered, against Pillow's rotate",
        f"{ours_s / count * 1e6:.2f} µs",
        f"{pillow_s / count * 1e6:.1f} µs",
        pillow_s / ours_s,
        f"≥ {goal:g}×",
        f"grid_sample {exact:.0e}, Pillow {apart * 255:.1f}/255 inside the circle",
        pillow_s / ours_s >= goal and exact <= 1e-6 and apart <= 2.01 / 255,
    )


def pillow(images: U8, out: F32) -> None:
    """The loop one would write: open, rotate, scale, put into the batch."""
    for i, image in enumerate(images):
        picture = _picture(image)
        for e, angle in enumerate(ORBIT.angles_deg):
            turned = np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR))
            layer = turned[None] if turned.ndim == 2 else turned.transpose(2, 0, 1)
            np.divide(layer, np.float32(255), out=out[i, e])


def parity(images: U8, batch: F32) -> float:
    """The largest difference from torch's grid_sample in double precision."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).double() / 255
    largest = 0.0
    for e, radians in enumerate(np.deg2rad(ORBIT.angles_deg)):
        cos, sin = np.cos(radians), np.sin(radians)
        theta = torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0]]], dtype=torch.float64)
        grid = functional.affine_grid(theta, [1, *images.shape[1:]], align_corners=False)
        expected = functional.grid_sample(
            pixels, grid.expand(len(pixels), -1, -1, -1), align_corners=False
        )
        largest = max(largest, float(np.abs(batch[:, e] - expected.numpy()).max()))
    return largest


def end_to_end() -> Row:
    """Transform and model against one image at a time."""
    images, labels = _digits(16), datasets.load("digits").labels[::32][:16]
    model, network = catalog.load_model(MODEL, "cpu"), load_module(catalog.card(MODEL))
    found: list[F32] = []
    naive: list[NDArray[np.int64]] = []

    def ours() -> None:
        found.append(evaluate(model, "digits", ORBIT, (images[:, 0], labels)).outputs)

    def loop() -> None:
        answers = []
        for image in images:
            picture = _picture(image)
            for angle in ORBIT.angles_deg:
                turned = np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR)) / 255
                with torch.no_grad():
                    logits = network(torch.tensor(turned, dtype=torch.float32)[None, None])
                answers.append(torch.softmax(logits, 1).argmax().item())
        naive.append(np.array(answers).reshape(len(images), ORBIT.size))

    ours_s, loop_s = compare(ours, loop)
    agreement = float((found[-1].argmax(2) == naive[-1]).mean())
    return Row(
        "orbit end to end, 16 digits × 72, against one image at a time",
        f"{ours_s:.2f} s",
        f"{loop_s:.2f} s",
        loop_s / ours_s,
        "≥ 3×",
        f"same answer {agreement:.1%}",
        loop_s / ours_s >= 3 and agreement >= 0.99,
    )


def half_precision() -> Row:
    """bfloat16 where the processor has it; where not, that is the result."""
    name, goal = "orbit forward in bfloat16 against float32", "≥ 1.5× where it is fast"
    if not devices.has_fast_bf16("cpu"):
        level = torch.backends.cpu.get_cpu_capability()
        return Row(name, "", "", float("nan"), goal, f"not measured: {level} has none", True)
    batch = _batch(8)
    module = load_module(catalog.card(MODEL))
    half = TorchBackend(module, catalog.card(MODEL), bf16=True)
    whole = TorchBackend(module, catalog.card(MODEL))
    ours_s, other_s = compare(lambda: half.predict(batch), lambda: whole.predict(batch))
    agreement = float((half.predict(batch).argmax(1) == whole.predict(batch).argmax(1)).mean())
    return Row(
        name,
        f"{ours_s:.2f} s",
        f"{other_s:.2f} s",
        other_s / ours_s,
        goal,
        f"same answer {agreement:.1%}",
        other_s / ours_s >= 1.5 and agreement >= 0.995,
    )


def nearly_free() -> Row:
    """A whole evaluation against the bare forward pass of the same prepared network."""
    held = datasets.load("digits")
    chosen = np.arange(0, 500, 10)
    model = catalog.load_model(MODEL, "cpu")
    batch = torch.from_numpy(_batch(50, chosen)).to(memory_format=model._layout)
    best = min(BATCHES, key=lambda size: compare(_bare(model, batch[:1024], size), _idle, 2)[0])
    found: list[F32] = []

    def ours() -> None:
        items = (held.images(chosen), held.labels[chosen])
        found.append(evaluate(model, "digits", ORBIT, items).outputs)

    ours_s, bare_s = compare(ours, _bare(model, batch, best))
    expected = model.predict(batch.numpy()).reshape(found[-1].shape)
    apart = float(np.abs(found[-1] - expected).max())
    return Row(
        f"orbit of 50 digits × 72, against its bare forward pass (best batch: {best})",
        f"{ours_s:.2f} s",
        f"{bare_s:.2f} s",
        bare_s / ours_s,
        "≥ 0.95×",
        f"difference {apart:.0e}",
        bare_s / ours_s >= 0.95 and apart < 1e-5,
    )


def forward() -> list[Row]:
    """The prepared network against the one the card gives, each at its best batch."""
    return [
        _forward("digits-plain", torch.from_numpy(_batch(4)), BATCHES, 1.0),
        # Its norms span four orientations and stay; only the filters are built ahead.
        _forward("digits-p4", torch.from_numpy(_batch(4)), BATCHES, 0.9),
        _forward(
            "imagenet-lite0", torch.from_numpy(_photos(8) / np.float32(255)), (1, 2, 4, 8), 1.0
        ),
    ]


def _forward(key: str, batch: torch.Tensor, sizes: Sequence[int], goal: float) -> Row:
    eager, model = load_module(catalog.card(key)), catalog.load_model(key, "cpu")

    def plain(size: int) -> Callable[[], object]:
        def run() -> None:
            with torch.inference_mode():
                for piece in _pieces(batch, size):
                    torch.softmax(eager(piece), 1)

        return run

    moved = batch.to(memory_format=model._layout)
    best = min(sizes, key=lambda size: compare(plain(size), _idle, 2)[0])
    ours_s, eager_s = compare(_bare(model, moved, model.preferred_batch), plain(best))
    with torch.inference_mode():
        expected = torch.softmax(eager(batch[:64]), 1).numpy()
    apart = float(np.abs(model.predict(batch[:64].numpy()) - expected).max())
    return Row(
        f"forward of {key}, prepared (batch {model.preferred_batch}) against eager (batch {best})",
        f"{ours_s / len(batch) * 1e3:.2f} ms",
        f"{eager_s / len(batch) * 1e3:.2f} ms",
        eager_s / ours_s,
        f"≥ {goal:g}×",
        f"difference {apart:.0e}",
        eager_s / ours_s >= goal and apart <= 1e-3,
    )


def linked_view() -> Row:
    """What the linked plots ask of a computed orbit, against computing it again."""
    model = catalog.load_model(MODEL, "cpu")
    result = evaluate(model, "digits", ORBIT, np.arange(0, 500, 25))

    def view() -> None:
        result.aggregate("accuracy")
        result.mean(), result.variance(), result.confusion(), result.reduce("pca")
        result.similar(3)

    before = model.calls.images
    view()
    calls = model.calls.images - before
    ours_s, again_s = compare(
        view, lambda: evaluate(model, "digits", ORBIT, np.arange(0, 500, 25)), 3
    )
    return Row(
        "all linked views of a computed orbit, 20 digits × 72, against running it again",
        f"{ours_s * 1e3:.1f} ms",
        f"{again_s * 1e3:.0f} ms",
        again_s / ours_s,
        "0 model calls, ≥ 100×",
        f"{calls} model calls",
        calls == 0 and again_s / ours_s >= 100,
    )


def memory() -> Row:
    """Peak memory of a fresh process for 5,000 items and for 50."""
    few, many = peak_mb(50), peak_mb(5000)
    return Row(
        "peak memory of an orbit of 5,000 images × 72, against 50",
        f"{many:.0f} MB",
        f"{few:.0f} MB",
        float("nan"),
        "≤ 200 MB more",
        f"{many - few:.0f} MB more",
        many - few <= 200,
    )


def peak_mb(count: int) -> float:
    """Peak resident memory of a child that evaluates ``count`` images along 72 angles."""
    command = [sys.executable, "-m", "benchmarks.nero", str(count)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(told)


def _child(count: int) -> None:
    """A small network, so that a minute is enough; images and answers have their real size."""
    torch.set_num_threads(1)
    card = catalog.card(MODEL)
    network = torch.nn.Sequential(
        torch.nn.AvgPool2d(7), torch.nn.Flatten(), torch.nn.Linear(16, len(card.classes))
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    evaluate(TorchBackend(network, card), "digits", ORBIT, (images, labels))
    # Not ru_maxrss: a child inherits that of the process that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{int(peak_kb) / 1000}\n")


def _bare(model: TorchBackend, batch: torch.Tensor, size: int) -> Callable[[], object]:
    def run() -> None:
        with torch.inference_mode():
            for piece in _pieces(batch, size):
                torch.softmax(model._network(piece), 1)

    return run


def _pieces(batch: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    return (batch[start : start + size] for start in range(0, len(batch), size))


def _idle() -> None:
    """The other side of a comparison that has none."""


def _digits(count: int) -> U8:
    held = datasets.load("digits")
    return held.images(np.arange(count) * 500 // count)[:, None]


def _photos(count: int) -> U8:
    return np.ascontiguousarray(
        datasets.load("photos").images(np.arange(count)).transpose(0, 3, 1, 2)
    )


def _batch(count: int, rows: NDArray[np.int64] | None = None) -> F32:
    chosen = np.arange(count) * 500 // count if rows is None else rows
    images = datasets.load("digits").images(chosen)[:, None]
    turned = resample.rotator(tuple(ORBIT.angles_deg.tolist()), 28).apply(images)
    return turned.reshape(-1, 1, 28, 28)


def _picture(image: U8) -> Image.Image:
    """A (c, h, w) image for Pillow."""
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0).copy())


def _inside(side: int) -> NDArray[np.bool_]:
    """The pixels (side, side) well inside the inscribed circle, which no border reaches."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside: NDArray[np.bool_] = np.hypot(x, y) < side / 2 - 1
    return inside


if __name__ == "__main__":
    _child(int(sys.argv[1]))
