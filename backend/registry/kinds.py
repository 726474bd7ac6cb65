"""Which kind of model a path is, and what is refused: whatever would run code by being opened."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.errors import BadRequest
from backend.registry.spec import Kind

CONVERT: Final = (
    "In the script that made it: torch.export.save(torch.export.export(model.eval(), (example,), "
    'dynamic_shapes=({0: torch.export.Dim("batch")},)), "model.pt2"), then add model.pt2.'
)
TO_CONVERT: Final = (
    "PyTorch no longer develops TorchScript: export the model again with torch.export when you can."
)
MOST_MEMBERS: Final = 20_000
MOST_BYTES: Final = 8_000_000_000
MOST_RATIO: Final = 200  # of sizes out and in: beyond, an archive is made to fill the disk


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What a kind can do.

    Attributes:
        runs_code: opening it may run code, so only the owner's command line or config takes it.
        has_gradients: saliency can be computed.
    """

    runs_code: bool
    has_gradients: bool


FACTS: Final[dict[str, KindFacts]] = {
    "torch.export": KindFacts(runs_code=True, has_gradients=True),
    "torchscript": KindFacts(runs_code=True, has_gradients=True),
    "safetensors": KindFacts(runs_code=True, has_gradients=True),
    "onnx": KindFacts(runs_code=False, has_gradients=False),
    "transformers": KindFacts(runs_code=False, has_gradients=True),
    "timm": KindFacts(runs_code=False, has_gradients=True),
    "torchvision": KindFacts(runs_code=False, has_gradients=True),
    "callable": KindFacts(runs_code=True, has_gradients=False),
}


def kind_of(path: Path) -> Kind:
    """The kind of a file or folder, from its content where the suffix is not enough.

    Raises:
        BadRequest: it is not there, is a pickle, or none of the kinds; says how to convert it.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        if (path / "config.json").is_file():
            return "transformers"
        raise BadRequest(
            f"The folder {path.name!r} has no config.json, so it is no transformers model.",
            "Name the file of the weights, or add data with `python -m backend data add`.",
        )
    if not path.is_file():
        raise BadRequest(f"There is no file {path.name!r}.", "Check the path.")
    if suffix in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib", ".pt2"):
        return _of_archive(path, suffix)
    if suffix == ".onnx":
        return "onnx"
    if suffix == ".safetensors":
        return "safetensors"
    if suffix in (".h5", ".keras", ".pb", ".tflite"):
        raise BadRequest(
            f"{path.name} is a TensorFlow or Keras file, which is not read.",
            "Convert it to ONNX (tf2onnx, or model.export(..., format='onnx')) and add the .onnx.",
        )
    raise BadRequest(
        f"{path.name} is not a model that can be read.",
        "A .pt2 (torch.export), .onnx, .safetensors with --factory, TorchScript, or a "
        "transformers folder.",
    )


def _of_archive(path: Path, suffix: str) -> Kind:
    """TorchScript or torch.export, told from the archive's members; a pickle is refused."""
    names = members(path) if zipfile.is_zipfile(path) else []
    inside = {name.split("/", 1)[-1] for name in names}
    if any(name.startswith("code/") for name in inside) or "constants.pkl" in inside:
        return "torchscript"
    is_export = any(
        name in ("archive_format", "serialized_exported_program.json", "archive_version")
        or name.startswith("models/")
        for name in inside
    )
    if is_export:
        return "torch.export"
    if suffix == ".pt2":
        raise BadRequest(f"{path.name} is no torch.export file.", CONVERT)
    raise BadRequest(
        f"{path.name} is a pickle, which runs code when it is opened; it is not read.", CONVERT
    )


def members(path: Path) -> list[str]:
    """Names in a zip archive whose sizes and paths are what they should be.

    Raises:
        BadRequest: it is damaged, has too many or too large members, would fill the disk, or a
            name leads out of the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadRequest(f"{path.name} is damaged or was cut short.", "Save it again.") from error
    if len(infos) > MOST_MEMBERS:
        raise BadRequest(
            f"{path.name} holds {len(infos)} files.", f"Allowed are {MOST_MEMBERS} in an archive."
        )
    total = sum(info.file_size for info in infos)
    packed = max(1, sum(info.compress_size for info in infos))
    if total > MOST_BYTES or (total > 50_000_000 and total / packed > MOST_RATIO):
        raise BadRequest(
            f"{path.name} would unpack to {total / 1e6:,.0f} MB from {packed / 1e6:,.1f} MB.",
            "Save it without such compression, in smaller parts.",
        )
    for info in infos:
        parts = Path(info.filename.replace("\\", "/")).parts
        is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
        if info.filename.startswith(("/", "\\")) or ".." in parts or is_link:
            raise BadRequest(
                f"{path.name} holds the name {info.filename[:60]!r}, which leads out of it.",
                "Save the archive again without absolute paths, .. and links.",
            )
    return [info.filename for info in infos]


def check_transformers(path: Path) -> None:
    """Returns if a transformers folder holds no code and no pickles.

    Raises:
        BadRequest: it does, or its configuration is not readable.
    """
    if sorted(path.glob("*.py")):
        raise BadRequest(
            f"The folder {path.name!r} holds Python code, which is not run.",
            "Only architectures that transformers itself knows are loaded.",
        )
    for file in [path / "config.json", *sorted(path.glob("*_config.json"))]:
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadRequest(f"{file.name} in {path.name!r} is not readable.") from error
        if not isinstance(config, dict) or config.get("auto_map"):
            raise BadRequest(
                f"{file.name} in {path.name!r} names code of its own (auto_map), which is not run.",
                "Only architectures that transformers itself knows are loaded.",
            )
    if not sorted(path.glob("*.safetensors")):
        raise BadRequest(
            f"The folder {path.name!r} has no .safetensors.",
            "Save it with model.save_pretrained(folder); .bin files are pickles and are not read.",
        )
