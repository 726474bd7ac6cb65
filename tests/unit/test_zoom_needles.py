"""The needle sets as the app's images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import NotFound
from backend.items import BadItems
from backend.settings import Settings
from backend.zoom import needles
from backend.zoom.library import Library, thumbnail
from backend.zoom.making import make_large
from backend.zoom.needles import ITEMS, LargeRows, LargeScene, large_scene
from models.needle_scenes import Scene


def library(tmp_path: Path) -> Library:
    return Library(Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path)}))


def test_the_set_is_balanced_named_and_labelled_simulated() -> None:
    assert len(ITEMS) == 200
    assert ITEMS.labels.sum() == 100
    assert len(set(ITEMS.names)) == 200
    assert "simulated" in ITEMS.title
    assert ITEMS.columns["label"][1] == "a digit"
    assert len(ITEMS.fingerprint) == 16
    assert ITEMS.images([0, 1]).shape == (2, 1024, 1024, 3)
    with pytest.raises(BadItems, match="0 to 199"):
        ITEMS.image(200)


def test_keys_open_images_of_their_own(tmp_path: Path) -> None:
    held = library(tmp_path)
    one, other = held.open("needle:1"), held.open("needle:2")
    assert one.fingerprint == held.info("needle:1").fingerprint != other.fingerprint
    assert thumbnail(one, 256).shape == (256, 256, 3)
    truth = held.truth("needle:1")
    assert truth is not None
    x, y, width, _ = truth.boxes[0]
    mask = held.mask("needle:1")
    assert mask is not None
    assert mask[y : y + width, x : x + width].any()
    assert held.truth("needle:0") is not None
    assert held.truth("needle:0").boxes == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "key", ["needle:200", "needle:x", "needle:-1", "large:77", "cat:1", ":", ""]
)
def test_other_keys_are_unknown(tmp_path: Path, key: str) -> None:
    with pytest.raises((NotFound, BadItems)):
        library(tmp_path).open(key)


def test_a_large_scene_hides_one_digit_in_whole_blocks() -> None:
    for side in needles.LARGE_SIDES:
        scene = large_scene(side)
        ((x, y, width, height),) = scene.boxes()
        assert 0 <= x <= side - width
        assert 0 <= y <= side - height
        assert len(scene.blocks) == scene.across**2


def test_rows_come_in_order_and_fit_the_side(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = tuple(Scene(1024, 0, 0, 0, turn, ()) for turn in range(4))
    rows = LargeRows(LargeScene(1100, blocks))
    first, last = rows(0), rows(1088)
    assert len(first) == 32 * 1100 * 3
    assert len(last) == 12 * 1100 * 3
    whole = LargeScene(1100, blocks).block_row(0)
    np.testing.assert_array_equal(np.frombuffer(first, np.uint8).reshape(32, 1100, 3), whole[:32])


def test_a_large_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needles, "LARGE_SIDES", (1100,))
    held = library(tmp_path)
    with pytest.raises(NotFound, match="not built"):
        held.open("large:1100")
    told: list[int] = []
    make_large(held, 1100, lambda done, total: told.append(done))
    assert told
    source = held.open("large:1100")
    assert (source.width, source.height) == (1100, 1100)
    assert source.fingerprint == held.info("large:1100").fingerprint
    expected = large_scene(1100).block_row(0)[:256, :256]
    shown = source.read(0, 0, 256, 256, 256, 256)
    assert np.abs(shown.astype(int) - expected).mean() < 8
    make_large(held, 1100, lambda done, total: pytest.fail("built twice"))
