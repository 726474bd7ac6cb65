"""Names of the classes the bundled models tell apart, in the order of their outputs."""

from __future__ import annotations

from models.cards import MODELS, Task

DIGITS = tuple("0123456789")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
IMAGENET_FILE = "imagenet_classes.txt"


def class_names(task: Task) -> tuple[str, ...]:
    """The class names of a task: 10 digits, 10 kinds of clothes, or the 1,000 of ImageNet."""
    if task == "imagenet":
        return tuple((MODELS / IMAGENET_FILE).read_text(encoding="utf-8").splitlines())
    return DIGITS if task == "digits" else FASHION
