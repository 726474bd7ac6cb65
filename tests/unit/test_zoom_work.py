"""Requests, works and command line, on a small untrained model of the user's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from backend import __main__ as command_line
from backend.cache import ArrayStore
from backend.errors import BadRequest, NotFound
from backend.zoom import ZoomResult, own, training, work
from backend.zoom.library import library
from backend.zoom.requests import (
    LookRequest,
    TrainRequest,
    build_job,
    compare_job,
    pyramid_job,
)
from models.cards import InputSpec, ModelCard, dump_card
from models.needle_scenes import CLASSES
from models.zoom_net import ZoomNet


@dataclass
class Ticket:
    store: ArrayStore
    told: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, done: int, total: int) -> None:
        self.told.append((done, total))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with one image of the user's, and one model of theirs."""
    monkeypatch.setenv("LOUPE_STATE_DIR", str(tmp_path / "state"))
    folder = own.folder()
    folder.mkdir(parents=True)
    (tmp_path / "state" / "images").mkdir()
    torch.manual_seed(0)
    weights = folder / "own-tiny.safetensors"
    save_file(ZoomNet(2).state_dict(), weights)
    card = ModelCard(
        key="own-tiny", title="Tiny", task="needles", summary="Untrained.", architecture="ZoomNet",
        input=InputSpec(3, 1024, 1024), classes=CLASSES, layers=("a",), licence="none", data="none",
        command="none", metrics={}, weights_file=weights.name,
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(), limits="Knows nothing.",
    )  # fmt: skip
    (folder / "own-tiny.toml").write_text(dump_card(card), encoding="utf-8")
    picture(tmp_path / "state" / "images" / "a.png")
    return tmp_path / "state"


def picture(path: Path, seed: int = 0, side: int = 256) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def ticket(state: Path) -> Ticket:
    return Ticket(ArrayStore(state / "results", 10**8))


def asked(**changes: Any) -> LookRequest:
    given = {"image": "file:a.png", "model": "own-tiny", "n_tiles": 4}
    return LookRequest(**(given | changes))


def test_a_look_is_named_by_image_weights_and_settings(state: Path) -> None:
    one = asked().job().key
    assert one == asked().job().key
    assert LookRequest.from_params(asked().params()) == asked()
    others = [
        asked(seed=1), asked(n_tiles=5), asked(policy="topk"), asked(s1=0.25), asked(draws=2),
        asked(region=(0, 0, 64, 64)), asked(image="needle:1"),
    ]  # fmt: skip
    assert len({one, *(other.job().key for other in others)}) == 8


def test_the_work_gives_what_the_interface_gives(state: Path) -> None:
    held = ticket(state)
    arrays = work.infer(asked().params(), held)
    done = ZoomResult.from_arrays(arrays)
    assert done.alpha.shape == (2, 2)
    assert held.told[-1] == (2, 2)
    many = work.draws(asked(draws=3).params(), held)
    assert many["draw_answers"].shape == (3, 2)
    np.testing.assert_array_equal(many["subtiles"], arrays["subtiles"])
    held.store.put(asked().job().key, arrays)


def test_a_changed_image_or_other_weights_are_told(state: Path) -> None:
    params = asked().params()
    picture(state / "images" / "a.png", seed=1)
    with pytest.raises(BadRequest, match="image changed"):
        work.infer(params, ticket(state))
    stale = {**asked().params(), "model_fingerprint": "0" * 16}
    with pytest.raises(BadRequest, match="weights changed"):
        work.infer(stale, ticket(state))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_tiles": 0}, "1 to 1,024"),
        ({"n_tiles": True}, "1 to 1,024"),
        ({"n_tiles": 1e9}, "1 to 1,024"),
        ({"seed": -1}, "0 to"),
        ({"draws": 500}, "1 to 200"),
        ({"policy": "best"}, "sample, topk"),
        ({"s1": 2.0}, "Allowed are"),
        ({"s2": float("nan")}, "Allowed are"),
        ({"region": (0, 0, 2**40, 5)}, "region"),
        ({"model": "digits-plain"}, "does not look at large images"),
    ],
)
def test_values_out_of_range_are_refused(state: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        asked(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"image": "file:../x"}, {"image": "needle:999"}, {"model": "own-x"}, {"image": "large:4096"}],
)
def test_unknown_images_and_models_are_told(state: Path, changes: dict[str, Any]) -> None:
    with pytest.raises((NotFound, BadRequest)):
        asked(**changes)


def test_requests_that_are_none_are_refused(state: Path) -> None:
    for params in ({}, {"image": "file:a.png"}, {**asked().params(), "s1": "x"}):
        with pytest.raises(BadRequest):
            work.infer(params, ticket(state))


def test_an_image_without_a_pyramid_says_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_IMAGE_MB", "16")
    picture(state / "images" / "big.png", side=1700)
    with pytest.raises(BadRequest, match="no pyramid yet"):
        asked(image="file:big.png")
    size = work.build_pyramid(pyramid_job("file:big.png").params, ticket(state))["size"]
    assert size.tolist() == [1700, 1700]
    assert asked(image="file:big.png").job().work == "zoom.infer"
    with pytest.raises(BadRequest, match="needs no pyramid"):
        pyramid_job("needle:1")


def test_large_sets_are_named_by_their_side(state: Path) -> None:
    assert build_job(4096).key != build_job(20000).key
    with pytest.raises(NotFound):
        build_job(5)


def test_all_models_are_compared_on_one_image(state: Path) -> None:
    arrays = work.compare(compare_job("file:a.png", 4).params, ticket(state))
    keys = bytes(arrays["keys"].astype(np.uint8)).decode().split("\n")
    row = keys.index("own-tiny")
    assert arrays["answers"][row].sum() == pytest.approx(1.0)
    assert (arrays["cost"][row] > 0).all()


# Training on own images --------------------------------------------------------------------------


def own_images(state: Path, count: int = 5) -> None:
    for name in ("empty", "full"):
        for i in range(count):
            picture(state / "images" / "mine" / name / f"{i}.png", seed=i, side=130)


def test_own_images_train_a_model_that_can_be_used(state: Path) -> None:
    own_images(state)
    request = TrainRequest("mine", "cells", base="own-tiny", steps=2, n_tiles=3)
    arrays = work.train(request.job().params, ticket(state))
    assert arrays["loss"].shape == (2,)
    assert arrays["held_out_right"].shape == (2,)
    card = own.card("own-cells")
    assert card.classes == ("empty", "full")
    assert 0 <= card.metrics["accuracy"] <= 1
    done = ZoomResult.from_arrays(work.infer(asked(model="own-cells").params(), ticket(state)))
    assert done.answer.shape == (2,)


def test_the_held_out_fifth_is_of_every_class() -> None:
    rows, held = training.split([0] * 10 + [1] * 5, seed=0)
    assert len(held) == 3
    assert not set(rows) & set(held)
    assert training.split([0] * 10 + [1] * 5, seed=0) == (rows, held)


@pytest.mark.parametrize("folder", ["none", "../images", "mine/empty"])
def test_folders_without_classes_are_refused(state: Path, folder: str) -> None:
    own_images(state)
    with pytest.raises(BadRequest, match="two subfolders"):
        training.labelled(library(), folder)


def test_too_few_images_are_counted_in_the_sentence(state: Path) -> None:
    own_images(state, 2)
    with pytest.raises(BadRequest, match="empty: 2, full: 2"):
        training.labelled(library(), "mine")


@pytest.mark.parametrize("name", ["", "../x", "A B", "x" * 80])
def test_names_of_models_are_plain(state: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="name of a model"):
        TrainRequest("mine", name, base="own-tiny")


# Command line ------------------------------------------------------------------------------------


def test_the_command_line_writes_what_was_looked_at(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    picture(tmp_path / "elsewhere.png")
    code = command_line.main(
        [
            "zoom", "--image", str(tmp_path / "elsewhere.png"), "--model", "tiny", "--tiles", "5",
            "--draws", "3", "--json", str(out), "--npz", str(tmp_path / "out.npz"),
        ]
    )  # fmt: skip
    assert code == 0
    told = json.loads(out.read_text())
    rows = told["pieces"]
    assert len(rows) == 5
    assert told["model"] == "own-tiny"
    assert told["draws"]["seeds"] == [0, 1, 2]
    means = np.mean(told["draws"]["probabilities"], axis=0)
    chosen = list(told["probabilities"]).index(told["answer"])
    assert told["draws"]["interval_90"]["mean"] == pytest.approx(means[chosen])
    assert told["cost"]["pixels_read"] > 0
    assert sum(row["weight"] for row in rows) == pytest.approx(1.0, abs=1e-4)
    assert rows[0].keys() >= {"x", "y", "width", "height", "contribution", "probability"}
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        assert file["draw_answers"].shape == (3, 2)
    assert "over 3 draws" in capsys.readouterr().err


def test_json_without_a_file_goes_to_standard_output(
    state: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given = ["zoom", "--image", "needle:1", "--model", "own-tiny", "--tiles", "2", "--json"]
    assert command_line.main(given) == 0
    assert len(json.loads(capfdbinary.readouterr().out)["pieces"]) == 2


def test_without_a_file_the_strongest_pieces_are_shown(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command_line.main(
        ["zoom", "--image", "needle:1", "--model", "own-tiny", "--tiles", "3", "--region",
         "10", "10", "200", "200"]
    )  # fmt: skip
    told = capsys.readouterr()
    assert code == 0
    assert "contribution" in told.out
    assert "1 distinct tiles of 1" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image", "nowhere.tif"], "There is no image nowhere.tif"),
        (["--image", "large:4096"], "--build"),
        (["--image", "needle:1", "--tiles", "0"], "1 to 1024"),
        (["--image", "needle:1", "--model", "x"], "There is no model 'x'"),
        (["--image", "needle:1", "--draws", "999"], "1 to 200"),
    ],
)
def test_mistakes_are_one_sentence(
    state: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    given = arguments if "--model" in arguments else [*arguments, "--model", "tiny"]
    assert command_line.main(["zoom", *given]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told
    assert "Traceback" not in told


def test_a_file_that_needs_a_pyramid_is_built_when_asked(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_IMAGE_MB", "16")
    picture(tmp_path / "big.png", side=1700)
    plain = ["zoom", "--image", str(tmp_path / "big.png"), "--model", "tiny", "--tiles", "2"]
    assert command_line.main(plain) == 2
    assert "--build" in capsys.readouterr().err
    assert command_line.main([*plain, "--build"]) == 0


def test_cards_that_cannot_be_read_are_left_out(state: Path) -> None:
    (own.folder() / "own-bad.toml").write_text("nonsense = [")
    assert "own-bad" not in own.models()
    assert replace(own.card("own-tiny"), title="x").fingerprint == own.card("own-tiny").fingerprint
