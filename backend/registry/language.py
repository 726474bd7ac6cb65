"""transformers folders that read texts: dual encoders for pairs, and encoders of texts alone.

A dual encoder (CLIP, SigLIP and their kin) puts every registered set of pairs into its space. An
encoder of texts (BERT and its kin) answers without training: the nearest description of a class.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from backend.errors import BadRequest
from backend.protocols import F32, I64, U8, Arrays
from backend.registry import store
from backend.registry.answers import CLASSIFICATION, DETECTION, PAIRS, TEXTS
from backend.registry.earlier import NOTHING, Earlier
from backend.registry.spec import ModelSpec

if TYPE_CHECKING:
    from backend.gap.encoder import Encoder
    from backend.registry.validate import Report
    from backend.text_backend import TextBackend
    from models.cards import ModelCard

TRIAL: Final = ("a picture of noise", "a ramp from black to white", "a white disc on black")
DETECTORS: Final = "ForObjectDetection"  # how transformers calls them
TEMPERATURE: Final = 0.05  # as the bundled text encoders
TOLERANCE: Final = 1e-3  # of lengths that must be 1


def task_of(config: Mapping[str, Any]) -> str:
    """What a model answers, told from its ``config.json``."""
    if any(str(name).endswith(DETECTORS) for name in config.get("architectures") or ()):
        return DETECTION
    if "text_config" in config and "vision_config" in config:
        return PAIRS
    has_images = any(key in config for key in ("image_size", "num_channels", "patch_size"))
    return TEXTS if "vocab_size" in config and not has_images else CLASSIFICATION


def task_in(folder: Path) -> str:
    """What the model in a folder answers; the usual where its config cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return CLASSIFICATION  # whoever opens it says what is wrong
    return task_of(config) if isinstance(config, dict) else CLASSIFICATION


def classes_of(task: str) -> tuple[str, ...]:
    """Class names of what an encoder of texts is asked; none for others."""
    if task != TEXTS:
        return ()
    from models.class_names import class_names

    return class_names("texts")


def validated(spec: ModelSpec) -> Report:
    """The model tried on three items.

    Raises:
        BadRequest: it cannot be opened, or its vectors are not usable.
    """
    from backend.registry.validate import Report, trial

    report = Report(spec)
    if spec.task == TEXTS:
        model = text_backend(spec, spec.card(""), "cpu")
        model.predict(TRIAL[:1])
        started = time.perf_counter()
        report.probabilities = model.predict(TRIAL)
    else:
        encoder = _dual(spec)
        pictures = [_bytes(image) for image in trial((3, 64, 64))]
        encoder.texts(TRIAL[:1])
        started = time.perf_counter()
        images, texts = encoder.images(pictures), encoder.texts(TRIAL)
        _check(spec, images, texts)
        cosines = np.exp((images @ texts.T) / TEMPERATURE)
        report.probabilities = (cosines / cosines.sum(axis=1, keepdims=True)).astype(np.float32)
        report.embedding_size = images.shape[1]
        report.maps, report.has_gradients = _maps(encoder, pictures[-1], report.notes)
    report.seconds = time.perf_counter() - started
    report.shape = report.probabilities.shape
    if not np.isfinite(report.probabilities).all():
        raise BadRequest(f"{spec.name} answers with numbers that are not finite.")
    if spec.task == TEXTS:
        report.notes.append("It was not trained for these classes: their nearest text is taken.")
    return report


def text_backend(spec: ModelSpec, card: ModelCard, device: str) -> TextBackend:
    """An encoder of texts as a classifier without training.

    Raises:
        BadRequest: the folder cannot be opened.
    """
    from tokenizers import Tokenizer

    from backend.registry.kinds import check_transformers
    from backend.registry.text_tower import TextTower
    from backend.text_backend import TextBackend
    from models.text_zero_shot import ZeroShot

    folder = Path(spec.path)
    check_transformers(folder)
    tower = TextTower(folder)
    tokenizer = Tokenizer.from_str(_tokenizer(folder))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tower.most_tokens)
    return TextBackend(ZeroShot(tower, tokenizer, TEMPERATURE, device), card, device)


def _tokenizer(folder: Path) -> str:
    """The text of ``tokenizer.json``. Raises BadRequest where it is none."""
    try:
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        is_whole = "model" in json.loads(text)
    except (OSError, ValueError, TypeError):
        is_whole, text = False, ""
    if not is_whole:
        raise BadRequest(
            f"{folder.name} has no readable tokenizer.json.",
            "Save the fast tokenizer with tokenizer.save_pretrained(folder).",
        )
    return text


def place_all(spec: ModelSpec) -> None:
    """Puts every registered set of pairs into the space of a dual encoder."""
    encoder = _dual(spec)
    for name, held in store.listed().sets.items():
        if held.spec.kind == "pairs":
            _place(spec.name, lambda: encoder, name)


def place_set(name: str, earlier: Earlier) -> None:
    """Puts a registered set of pairs into the space of every registered dual encoder; those pairs
    that its ``earlier`` index knew are there already.
    """
    for model, held in store.listed().models.items():
        if held.spec.task == PAIRS:
            _place(model, partial(_dual, held.spec), name, earlier)


def placed_in(name: str) -> list[str]:
    """The registered dual encoders into whose space a set of pairs was put."""
    from backend.registry import index, sets

    folder = index.folder(name)
    return [
        model
        for model, held in store.listed().models.items()
        if held.spec.task == PAIRS and (folder / f"{sets.PART}images-{model}.npy").is_file()
    ]


def _place(model: str, load: Callable[[], Encoder], name: str, earlier: Earlier = NOTHING) -> None:
    """Puts the pairs that ``earlier`` did not know; the encoder is loaded if there are any."""
    from backend.registry import index, sets

    arrays = sets.stored(name)

    def place(rows: I64) -> Arrays:
        encoder = load()
        pictures = [np.asarray(arrays["thumbs"][row]) for row in rows]
        texts = [str(text) for text in arrays["captions"][rows]]
        return {f"images-{model}": encoder.images(pictures), f"texts-{model}": encoder.texts(texts)}

    keys, stamps = [f"images-{model}", f"texts-{model}"], index.load(name).stamps.tolist()
    sets.keep_also(name, earlier.completed(keys, stamps, place))


def _maps(encoder: Encoder, picture: U8, notes: list[str]) -> tuple[tuple[str, ...], bool]:
    """By which words and places can be valued, and whether slopes pass; notes say what does not."""
    from backend.gap.spaces import METHODS
    from backend.gap.token_maps import methods_of

    found = methods_of(encoder, picture, TRIAL[-1])
    if not found:
        notes.append("Its tokenizer does not say where words lie: no map of words and places.")
    elif len(found) < len(METHODS):
        notes.append("No slope passes through it: words and places by occlusion only.")
    return found, len(found) == len(METHODS)


def _dual(spec: ModelSpec) -> Encoder:
    from backend.gap.adapters import TransformersEncoder

    return TransformersEncoder(Path(spec.path))


def _bytes(image: F32) -> U8:
    found: U8 = np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)
    return found


def _check(spec: ModelSpec, images: F32, texts: F32) -> None:
    if images.shape != texts.shape:
        raise BadRequest(
            f"{spec.name} puts images at {images.shape[1]} numbers and texts at {texts.shape[1]}.",
            "A dual encoder puts both into one space.",
        )
    lengths = np.linalg.norm(np.concatenate([images, texts]), axis=1)
    if not np.allclose(lengths, 1, atol=TOLERANCE):
        raise BadRequest(f"The vectors of {spec.name} are not finite.", "Are the weights in it?")
