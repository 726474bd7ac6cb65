"""What a registered model may answer, task by task: what it takes and how it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from backend.errors import BadRequest

Shape = tuple[int, int, int]
Output = Literal["auto", "logits", "probabilities", "boxes", "anchors", "queries"]
CLASSIFICATION: Final = "classification"
DETECTION, MOTION, POINTS = "detection", "piv", "points"
"""Tasks whose models stand beside the bundled ones of the same name."""
PAIRS, TEXTS = "pairs", "texts"
"""Tasks of transformers folders that take no arrays: dual encoders, and text encoders."""
CROP_PX: Final = 128  # of NERO's crops for detectors
LEAST_POINTS, MOST_POINTS = 64, 2048
MOST_SIDE: Final = 1024
SCORES: Final[tuple[Output, ...]] = ("auto", "logits", "probabilities")
EVERY: Final = ("torch.export", "torchscript", "safetensors", "onnx", "callable")


@dataclass(frozen=True, slots=True)
class Answer:
    """What models of a task take and give.

    Attributes:
        title: what people call the task.
        takes, gives: in words, as a card tells them.
        kinds: how such models may be loaded.
        outputs: forms of an answer that its owner may name.
        usual: the input where neither the file nor its owner says one; zeros where there is none.
        is_classed: whether its answers are about classes.
    """

    title: str
    takes: str
    gives: str
    kinds: tuple[str, ...]
    outputs: tuple[Output, ...] = ("auto",)
    usual: Shape = (0, 0, 0)
    is_classed: bool = True


ANSWERS: Final[dict[str, Answer]] = {
    CLASSIFICATION: Answer(
        "classes of images",
        "images, channels × height × width",
        "one score for each class",
        (*EVERY, "transformers", "timm", "torchvision"),
        SCORES,
    ),
    DETECTION: Answer(
        "object detection",
        "crops of 128 px, scaled to channels × height × width",
        "boxes with a confidence and a class",
        (*EVERY, "transformers", "torchvision"),
        ("auto", "boxes", "anchors", "queries"),
        (3, 128, 128),
    ),
    MOTION: Answer(
        "particle motion",
        "two grey frames: 2 (one array) or 1 (two arrays) × height × width; 6 or 3 in colour",
        "displacements u, v in px from the first frame to the second",
        (*EVERY, "torchvision"),
        usual=(2, 128, 128),
        is_classed=False,
    ),
    POINTS: Answer(
        "points in space",
        "clouds, points × 3 or 3 × points",
        "one score for each class",
        EVERY,
        SCORES,
        (1, 1024, 3),
    ),
    PAIRS: Answer(
        "images and texts",
        "images and texts, put into one space",
        "unit vectors",
        ("transformers",),
        is_classed=False,
    ),
    TEXTS: Answer(
        "texts",
        "texts; the nearest description of a class is its answer, without training",
        "one score for each class",
        ("transformers",),
    ),
}


def check_shape(task: str, shape: Shape) -> None:
    """Returns if models of a task can take this input.

    Raises:
        BadRequest: they cannot; says what they take.
    """
    {DETECTION: _check_crops, MOTION: _check_frames, POINTS: _check_cloud}.get(task, _check_images)(
        shape
    )


def written(task: str, shape: Shape) -> str:
    """``1x28x28``; of clouds ``1024x3``."""
    return "x".join(map(str, shape[1:] if task == POINTS else shape))


def in_words(task: str, shape: Shape) -> str:
    """What a model of a task with this input takes, as its card tells it."""
    channels, height, width = shape
    if task == POINTS:
        return f"{points_of(shape):,} points of a cloud, as {'columns' if height == 3 else 'rows'}"
    if task == MOTION:
        colour = "grey" if channels in (1, 2) else "in colour"
        arrays = "two arrays" if channels in (1, 3) else "one array"
        return f"two frames of {height} px, {colour}, in {arrays}"
    if task == DETECTION:
        is_scaled = (height, width) != (CROP_PX, CROP_PX)
        return f"crops of {CROP_PX} px" + (", scaled to that" if is_scaled else "")
    return "channels × height × width"


def points_of(shape: Shape) -> int:
    """How many points a model of clouds takes."""
    return max(shape)


def _check_images(shape: Shape) -> None:
    channels, height, width = shape
    if channels in (1, 3) and 8 <= min(height, width) <= max(height, width) <= MOST_SIDE:
        return
    hint = "Channels first, 1 (grey) or 3 (colour); height and width from 8 to 1024 px."
    if width in (1, 3):
        hint += f" Did you mean {width}x{channels}x{height}?"
    raise BadRequest(f"input={channels}x{height}x{width} is not usable.", hint)


def _check_crops(shape: Shape) -> None:
    channels, height, width = shape
    if channels != 3 or not 32 <= min(height, width) <= max(height, width) <= MOST_SIDE:
        raise BadRequest(
            f"input={channels}x{height}x{width} is not usable.",
            "A detector takes 3 x height x width, both from 32 to 1024 px: 3x640x640.",
        )


def _check_frames(shape: Shape) -> None:
    channels, height, width = shape
    if channels not in (1, 2, 3, 6) or height != width or height % 4 or not 64 <= height <= 512:
        raise BadRequest(
            f"input={channels}x{height}x{width} is not usable.",
            "Two frames are 2 x side x side in one array, or 1 x side x side in two (6 or 3 in "
            "colour); sides are multiples of 4 from 64 to 512 px: 2x128x128.",
        )


def _check_cloud(shape: Shape) -> None:
    count = points_of(shape)
    if sorted(shape) != [1, 3, count] or not LEAST_POINTS <= count <= MOST_POINTS or shape[0] != 1:
        raise BadRequest(
            f"input={written(POINTS, shape)} is not usable.",
            f"A cloud is points x 3, or 3 x points, of {LEAST_POINTS} to {MOST_POINTS}: 1024x3.",
        )
