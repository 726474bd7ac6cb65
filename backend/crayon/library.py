"""Sets of the user's own: folders and tables below the allowed folders, known by a key.

What is registered lies as JSON in the state folder; images stay where they are and are read when
they are shown. The key holds a hash of the table and the files' sizes, as answers are about rows:
a set that has changed since must be added again. No torch.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from backend.crayon import layouts
from backend.crayon.sets import GuidedSet
from backend.errors import BadRequest, NotFound
from backend.files import private_folder, write_atomic
from backend.settings import Settings
from models.cards import CardError, ModelCard, read_card

PREFIX: Final = "own-"
KEY: Final = re.compile(r"own-[a-z0-9-]{1,60}\Z")
LAYOUTS: Final[dict[str, Callable[[Path], GuidedSet]]] = {
    "waterbirds": layouts.waterbirds,
    "celeba": layouts.celeba,
    "in9": layouts.in9,
    "csv": layouts.simple_csv,
}
MOST_SETS: Final = 200
MOST_FOLDERS: Final = 200
LONGEST: Final = 300  # characters of a question
TABLES: Final = {
    "waterbirds": "metadata.csv",
    "celeba": "list_attr_celeba.txt",
    "in9": "original",
    "csv": "*.csv",
}
HINT: Final = (
    "Put it into the folder images of the state folder, or name its folder in LOUPE_IMAGE_ROOTS."
)
_settings: Settings | None = None
_held: dict[tuple[str, int], GuidedSet] = {}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Registered:
    """What is remembered of one set.

    Attributes:
        path: the folder, or the table of the layout ``csv``; masks: a folder, or empty.
        question: asked about maps; the layout's own where empty.
    """

    key: str
    name: str
    layout: str
    path: str
    masks: str
    question: str
    fingerprint: str


def use(settings: Settings) -> None:
    """The settings of this process; those of the environment unless given."""
    global _settings  # one process, one installation
    _settings = settings


def settings() -> Settings:
    """The settings of this process."""
    return _settings or Settings.from_env()


def folder() -> Path:
    """Where registrations and models of own sets lie."""
    return settings().state_dir / "crayon"


def roots() -> tuple[Path, ...]:
    """The folders below which sets may lie."""
    found = settings()
    private_folder(found.state_dir / "images")
    return found.image_roots


def titles() -> dict[str, str]:
    """Titles of the registered sets by key, by name; files that cannot be read are left out."""
    found = {}
    for path in sorted((folder() / "sets").glob("own-*.json"))[:MOST_SETS]:
        try:
            found[path.stem] = _registered(path.stem).name
        except NotFound:
            continue
    return dict(sorted(found.items(), key=lambda one: one[1]))


def add(
    path: str | Path, layout: str, name: str, masks: str | Path = "", question: str = ""
) -> GuidedSet:
    """Checks a folder or table row by row, and remembers it.

    Args:
        path: absolute or relative to one of the allowed folders; for ``csv`` the table's file.
        layout: one of LAYOUTS.
        masks: a folder with a PNG of the image's name for every image, white on the object.

    Raises:
        NotFound: it is not there, or not below an allowed folder.
        BadRequest: the layout or name is not usable, or a row is wrong; names the row.
        StorageFull: it cannot be written down.
    """
    if layout not in LAYOUTS:
        raise BadRequest(
            f"There is no layout {layout[:40]!r}.", f"Layouts are {', '.join(LAYOUTS)}."
        )
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    if not slug or len(name) > 60:
        raise BadRequest(
            f"{name[:60]!r} is not usable as a name.", "Use up to 60 characters, some of them a-z."
        )
    if len(question) > LONGEST:
        raise BadRequest("The question is too long.", f"Use up to {LONGEST} characters.")
    real, cover = inside(path), str(inside(masks)) if masks else ""
    found = _built(layout, real, cover)
    key = f"{PREFIX}{slug}-{found.fingerprint[:8]}"
    told = Registered(key, name, layout, str(real), cover, question, found.fingerprint)
    made = _named(found, told)
    for row in range(len(made)):
        layouts.check_image(made, row)
    content = json.dumps(asdict(told)).encode()
    write_atomic(folder() / "sets" / f"{key}.json", lambda out: out.write(content))
    return made


def load(key: str) -> GuidedSet:
    """A registered set.

    Raises:
        NotFound: there is none of that key, or its folder is gone or no longer allowed.
        BadRequest: its files have changed since it was added.
    """
    told = _registered(key)
    stamp = (folder() / "sets" / f"{key}.json").stat().st_mtime_ns
    with _loading:
        if (key, stamp) not in _held:
            found = _built(told.layout, inside(told.path), told.masks)
            if found.fingerprint != told.fingerprint:
                raise BadRequest(
                    f"The files of {told.name} have changed since it was added.",
                    "Add the set again; its answers can be exported and imported.",
                )
            _held[key, stamp] = _named(found, told)
        return _held[key, stamp]


def inside(path: str | Path) -> Path:
    """Where a file or folder really lies, if that is below an allowed folder.

    Raises:
        NotFound: it is not there, or it lies elsewhere; the two are not told apart.
    """
    text = os.fspath(path)
    if 0 < len(text) <= 4096 and "\0" not in text:
        for root in roots():
            try:
                real = (root / text).resolve(strict=True)
                if real.is_relative_to(root.resolve(strict=True)):
                    return real
            except (OSError, RuntimeError):  # not there, no permission, links in a circle
                continue
    raise NotFound("There is no such folder or table in the allowed folders.", HINT)


def candidates() -> list[dict[str, str]]:
    """What could be added: ``{path, layout}``, paths relative to their allowed folder."""
    found: list[dict[str, str]] = []
    for root in roots():
        for path in _folders(root):
            for layout, mark in TABLES.items():
                for hit in sorted(path.glob(mark)):
                    is_own_table = layout == "csv" and hit.name != TABLES["waterbirds"]
                    where = hit if is_own_table else path
                    if layout != "csv" or is_own_table:
                        told = where.relative_to(root).as_posix()
                        found.append({"path": told, "layout": layout})
                    if len(found) >= MOST_FOLDERS:
                        return found
    return found


def _folders(root: Path) -> Iterator[Path]:
    """The folder and those two levels below it."""
    yield root
    for depth in ("*", "*/*"):
        yield from (path for path in sorted(root.glob(depth)) if path.is_dir())


def models_folder() -> Path:
    """Where the models of own sets lie; made when it is missing."""
    return private_folder(folder() / "models")


def card(key: str) -> ModelCard:
    """The card of an own set's original model.

    Raises:
        NotFound: there is none yet.
    """
    path = folder() / "models" / f"{key}.toml"
    try:
        return read_card(path)
    except CardError as error:
        raise NotFound("The original model of this set is not trained yet.", "Train it.") from error


def _registered(key: str) -> Registered:
    try:
        if not KEY.match(key):
            raise ValueError(key)
        text = (folder() / "sets" / f"{key}.json").read_text(encoding="utf-8")
        return Registered(**json.loads(text))
    except (OSError, ValueError, TypeError) as error:
        raise NotFound(f"There is no set {key[:80]!r}.", "Add it, or choose another.") from error


def _built(layout: str, path: Path, masks: str) -> GuidedSet:
    found = LAYOUTS[layout](path)
    return layouts.with_masks(found, Path(masks)) if masks else found


def _named(found: GuidedSet, told: Registered) -> GuidedSet:
    made = replace(found, key=told.key, title=told.name)
    if not told.question:
        return made
    patch = told.question.replace("strong highlight mainly", "red highlight")
    return replace(made, question=told.question, patch_question=patch)
