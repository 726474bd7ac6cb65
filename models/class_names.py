"""Names of the classes the bundled models tell apart, in the order of their outputs."""

from __future__ import annotations

from models.cards import MODELS, Task
from models.needle_scenes import CLASSES as NEEDLES
from models.piv_flows import FAMILIES as FLOWS
from models.text_classes import PROMPTS

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
POINTS = (
    "bed",
    "chair",
    "lamp",
    "person",
    "plant",
    "sofa",
    "storage",
    "table",
    "vehicle",
    "vessel",
)
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
GROUPS = ("group -1", "group +0", "group +1")
RATE = ("success rate",)  # one number, no class
PAIRS = (
    "face", "person", "animal", "plant", "food or drink", "place", "vehicle", "sky or weather",
    "clock", "clothing", "music", "sport, game or feast", "tool or object", "sign",
    "heart or feeling", "part of the body",
)  # fmt: skip
IMAGENET_FILE = "imagenet_classes.txt"


def class_names(task: Task) -> tuple[str, ...]:
    """The class names of a task: 10 digits, 10 kinds of clothes, 10 of furniture and what stands
    beside it, the 80 of COCO, the families of flows, a needle or none, a success rate, groups of
    drawn people, or the 1,000 of ImageNet.
    """
    if task == "imagenet":
        return tuple((MODELS / IMAGENET_FILE).read_text(encoding="utf-8").splitlines())
    named = {
        "digits": DIGITS,
        "fashion": FASHION,
        "points": POINTS,
        "detection": COCO,
        "texts": tuple(PROMPTS),
        "piv": FLOWS,
        "needles": NEEDLES,
        "insights": RATE,
        "metric": ("embedding",),
        "pairs": PAIRS,
        "people": GROUPS,
    }
    return named[task]
