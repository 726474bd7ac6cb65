"""A set is indexed again: what is unchanged is not read, and the index is that of a first time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend import coco
from backend.errors import BadRequest
from backend.gap import towers
from backend.insights import library
from backend.registry import adding, arrays, earlier, index, sets, store
from backend.registry.sets import clouds, frames, large, pairs
from tests import own_sets_made as made
from tests.own_registry import own_registry


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with own_registry(tmp_path, monkeypatch) as folder:
        yield folder


def image(root: Path, item: int, seed: int) -> list[Path]:
    return [saved(root / "dark" / f"{item}.png", made.noise(32, 48, seed))]


def scene(root: Path, item: int, seed: int) -> list[Path]:
    """A photograph of COCO128's layout; those of an even number have an object that is too small
    for a scene as well.
    """
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "names.yaml").write_text("names:\n  0: bird\n")
    label = root / "labels" / f"{item}.txt"
    small = "0 0.5 0.5 0.002 0.002\n" if item % 2 == 0 else ""
    label.write_text("0 0.5 0.5 0.0625 0.0833\n" + small)
    return [saved(root / "images" / f"{item}.png", made.noise(480, 640, seed)), label]


def cloud(root: Path, item: int, seed: int) -> list[Path]:
    path = root / "chair" / f"{item}.xyz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.random.default_rng(seed).normal(size=(300, 3)))
    return [path]


def flow(root: Path, item: int, seed: int, side: int = 96) -> list[Path]:
    rng = np.random.default_rng(seed)
    return [
        saved(
            root / f"{item}-{half}.png",
            Image.fromarray(rng.integers(0, 255, (side, side), dtype=np.uint8)),
        )
        for half in "ab"
    ]


def slide(root: Path, item: int, seed: int) -> list[Path]:
    return [saved(root / f"{item}.png", made.noise(256, 320, seed))]


def pair(root: Path, item: int, seed: int) -> list[Path]:
    path = saved(root / f"{item}.png", made.noise(64, 96, seed))
    path.with_suffix(".txt").write_text(f"a picture of thing {item}")
    return [path, path.with_suffix(".txt")]


def saved(path: Path, picture: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


Reader = tuple[Callable[[Path, int, int], list[Path]], Any, str]
KINDS: dict[str, Reader] = {
    "folder": (image, index, "looked_at"),
    "boxes": (scene, coco, "open_photograph"),
    "clouds": (cloud, clouds, "read_clouds"),
    "frames": (flow, frames, "recorded"),
    "large": (slide, large, "_read"),
    "pairs": (pair, pairs, "square"),
}
"""How an item is written to a folder, and what reads it."""


class Counted:
    """How often a function of a module was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.count, self._function = 0, getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.count += 1
        return self._function(*given, **named)

    def taken(self) -> int:
        """The count, which starts again."""
        found, self.count = self.count, 0
        return found


def held() -> dict[str, Any]:
    """Everything that was made of the set."""
    known, one = index.load("mine"), store.required().set("mine")
    found = {f"index {name}": getattr(known, name) for name in known.__slots__}
    found |= {f"index {name}": getattr(known, name) for name in index.FIELDS}
    found |= {name: np.array(array) for name, array in sets.kept("mine").items()}
    summary = {key: value for key, value in one.summary.items() if key != "read"}
    return {**found, "fingerprint": one.fingerprint, "summary": summary}


def is_as_new() -> None:
    """What the set is now equals what a first index makes of the same files."""
    found = held()
    shutil.rmtree(index.folder("mine"))
    adding.index_again("mine")
    new = held()
    assert found.keys() == new.keys()
    for name, value in new.items():
        if isinstance(value, np.ndarray) and name.startswith(("images-", "texts-")):
            # A network sums in another order where it is given other numbers of items at once.
            np.testing.assert_allclose(found[name], value, atol=2e-3, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_new_or_changed_is_read_again(
    kind: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, module, name = KINDS[kind]
    root = state / "set"
    files = [put(root, item, item) for item in range(3)]
    reads = Counted(monkeypatch, module, name)
    assert adding.add_set(str(root), "mine", {"kind": kind})["read"] == 3
    assert reads.taken() == 3
    before = held()
    assert (adding.index_again("mine")["read"], reads.taken()) == (0, 0)
    np.testing.assert_equal(held(), before)

    put(root, 3, 3)
    summary = adding.index_again("mine")
    assert (summary["items"], summary["read"], reads.taken()) == (4, 1, 1)
    is_as_new()
    reads.taken()

    put(root, 1, 9)
    assert (adding.index_again("mine")["read"], reads.taken()) == (1, 1)
    is_as_new()
    reads.taken()

    for path in files[0]:
        path.unlink()
    summary = adding.index_again("mine")
    assert (summary["items"], summary["read"], reads.taken()) == (3, 0, 0)
    is_as_new()


def test_the_towers_run_over_new_pairs_only(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = state / "set"
    for item in range(3):
        pair(root, item, item)
    adding.add_set(str(root), "mine", {"kind": "pairs"})
    given: list[int] = []
    for name in ("of_images", "of_texts"):
        whole = getattr(towers, name)
        monkeypatch.setattr(
            towers, name, lambda items, run=whole: given.append(len(items)) or run(items)
        )
    (root / "1.txt").write_text("another text")
    (root / "2.txt").touch()  # a text is read whenever the folder is listed, so its date is nothing
    assert adding.index_again("mine")["read"] == 1
    assert given == [1, 1]
    assert sets.stored("mine")["captions"].tolist()[1] == "another text"
    is_as_new()


def test_a_smaller_frame_cuts_all_of_them_again(state: Path) -> None:
    root = state / "set"
    for item in range(2):
        flow(root, item, item)
    adding.add_set(str(root), "mine", {"kind": "frames"})
    files = flow(root, 2, 2, side=70)
    assert adding.index_again("mine")["read"] == 3
    assert sets.stored("mine")["frames"].shape == (3, 2, 68, 68)
    is_as_new()
    for path in files:
        path.unlink()
    assert adding.index_again("mine")["read"] == 2
    assert sets.stored("mine")["frames"].shape == (2, 2, 96, 96)
    is_as_new()


def test_a_frame_without_contrast_in_the_common_square_is_left_out(state: Path) -> None:
    root = state / "set"
    flow(root, 0, 0, side=64)
    for half in "ab":  # something is to be seen only beyond the middle 64 px
        pixels = np.zeros((128, 128), np.uint8)
        pixels[:8] = 200
        saved(root / f"1-{half}.png", Image.fromarray(pixels))
    summary = adding.add_set(str(root), "mine", {"kind": "frames"})
    assert summary["items"] == 1
    assert summary["first_problems"] == [[2, "1-a.png is black: no particle can be seen"]]


def test_a_large_image_that_breaks_off_is_left_out(state: Path) -> None:
    root = state / "set"
    for item in range(2):
        slide(root, item, item)
    whole = (root / "1.png").read_bytes()
    (root / "1.png").write_bytes(whole[: len(whole) // 2])
    summary = adding.add_set(str(root), "mine", {"kind": "large"})
    assert summary["items"] == 1
    assert summary["first_problems"] == [[2, "1.png: It cannot be read whole"]]


def test_arrays_of_another_index_are_not_trusted(state: Path) -> None:
    root = state / "set"
    for item in range(3):
        cloud(root, item, item)
    adding.add_set(str(root), "mine", {"kind": "clouds"})
    sets.keep_also("mine", {earlier.STAMPS: np.arange(3, dtype=np.uint64)})  # killed in between
    assert adding.index_again("mine")["read"] == 3
    assert adding.index_again("mine")["read"] == 0


def test_an_index_of_an_earlier_version_is_read_again(state: Path) -> None:
    for item in range(3):
        image(state / "set", item, item)
    adding.add_set(str(state / "set"), "mine", {})
    path = index.folder("mine") / "index.npz"
    with np.load(path) as file:
        old = {**file, "stamps": np.zeros((3, 2))}
    np.savez(path, **old)
    assert adding.index_again("mine")["read"] == 3
    assert adding.index_again("mine")["read"] == 0


def test_thumbnails_of_another_index_are_not_trusted(state: Path) -> None:
    for item in range(3):
        image(state / "set", item, item)
    adding.add_set(str(state / "set"), "mine", {})
    np.save(index.folder("mine") / "thumbs.npy", np.zeros(7, np.uint8))  # killed in between
    assert adding.index_again("mine")["read"] == 3


@pytest.mark.parametrize("kind", ["arrays", "contents", "embeddings"])
def test_a_set_in_one_file_is_read_whole_where_the_file_changed(
    kind: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made.KINDS[kind](state)
    reads = Counted(monkeypatch, *((arrays, "read") if kind == "arrays" else (sets, "content")))
    first = adding.add_set(str(path), "mine", {})
    assert (first["read"], reads.taken()) == (first["items"], 1)
    before = held()
    assert (adding.index_again("mine")["read"], reads.taken()) == (0, 0)
    np.testing.assert_equal(held(), before)
    path.touch()
    assert (adding.index_again("mine")["read"], reads.taken()) == (first["items"], 1)
    shutil.rmtree(index.folder("mine"))
    assert (adding.index_again("mine")["read"], reads.taken()) == (first["items"], 1)


def test_contents_are_read_again_where_an_image_of_theirs_changed(state: Path) -> None:
    path = made.contents(state)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},image", *(f"{line},a.png" for line in lines[1:])]))
    made.noise(32, 32, 0).save(state / "a.png")
    made.noise(32, 32, 1).save(state / "b.png")
    adding.add_set(str(path), "mine", {})
    made.noise(32, 32, 2).save(state / "b.png")  # which the table does not name
    assert adding.index_again("mine")["read"] == 0
    made.noise(32, 32, 3).save(state / "a.png")
    assert adding.index_again("mine")["read"] == 12
    path.write_text("no table")
    with pytest.raises(BadRequest, match=r"No column says how successful|has no rows"):
        adding.index_again("mine")


def test_contents_are_read_again_where_insights_has_lost_them(state: Path) -> None:
    key = adding.add_set(str(made.contents(state)), "mine", {})["opens"]["key"]
    library.remove(key)
    assert adding.index_again("mine")["read"] == 12
    assert key in library.titles()


def test_a_stamp_tells_files_apart(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_text("x")
    other.write_text("x")
    stamps = [
        earlier.stamp_of("clouds", [one]),
        earlier.stamp_of("clouds", [other]),
        earlier.stamp_of("large", [one]),
        earlier.stamp_of("clouds", [one, other]),
        earlier.stamp_of("clouds", [one], "a text"),
        earlier.stamp_of("clouds", [one], "a", " text"),
        earlier.stamp_of("clouds", [tmp_path / "gone"]),
    ]
    one.write_text("longer")
    stamps.append(earlier.stamp_of("clouds", [one]))
    assert len(set(stamps)) == len(stamps)
    assert earlier.stamp_of("clouds", [one]) == stamps[-1]
