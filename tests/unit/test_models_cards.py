"""Model cards: what they refuse, and that writing and reading agree."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from models.cards import (
    WEIGHTS,
    CardError,
    InputSpec,
    ModelCard,
    WeightsMismatch,
    dump_card,
    load_cards,
    read_card,
    verify_weights,
)
from models.class_names import class_names

DOC = Path(__file__).parents[2] / "docs" / "adding-a-model.md"

CARD = ModelCard(
    key="tiny",
    title='A "tiny" model',
    task="digits",
    summary="Nothing much.",
    architecture="DigitCNN",
    input=InputSpec(channels=1, height=28, width=28),
    classes=("yes", "no"),
    layers=("block1",),
    licence="CC0",
    data="none",
    command="none",
    metrics={"upright_accuracy": 0.5, "steps": 3.0},
    weights_file="tiny.safetensors",
    weights_sha256=hashlib.sha256(b"weights").hexdigest(),
    limits="Everything.",
)


def written(folder: Path, card: ModelCard = CARD) -> Path:
    path = folder / "tiny.toml"
    path.write_text(dump_card(card), encoding="utf-8")
    return path


def test_a_written_card_reads_back_equal(tmp_path: Path) -> None:
    written(tmp_path)
    assert load_cards(tmp_path) == {"tiny": CARD}


def test_fingerprint_is_the_start_of_the_sha256() -> None:
    assert CARD.fingerprint == hashlib.sha256(b"weights").hexdigest()[:16]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('title = "A', 'name = "A', "'title' is missing"),
        ('limits = "Everything."', 'limits = " "', "'limits'"),
        ('task = "digits"', 'task = "words"', "allowed are digits, fashion, imagenet"),
        ('key = "tiny"', 'key = "huge"', "file's name, 'tiny'"),
        ("channels = 1", "channels = 0", "1 to 4096"),
        ("channels = 1", "channels = true", "1 to 4096"),
        ("width = 28", "depth = 28", "channels, height, width"),
        ('classes = ["yes", "no"]', 'classes = ["no", "no"]', "'no' twice"),
        ('classes = ["yes", "no"]', 'classes = "../secret.txt"', "list of names"),
        ('layers = ["block1"]', "layers = []", "at least one"),
        ("upright_accuracy = 0.5", "upright_accuracy = 50.0", "0 to 1"),
        ("steps = 3.0", 'steps = "many"', "must be a number"),
        ("tiny.safetensors", "../tiny.safetensors", "bare file name"),
        ("tiny.safetensors", "tiny.pt", "ending in .safetensors"),
        (CARD.weights_sha256, "abc", "64 lower-case hex digits"),
        ('title = "A', "title = A", "not valid TOML"),
    ],
)
def test_a_bad_card_is_refused_naming_file_and_field(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CardError, match=re.escape(words)) as caught:
        read_card(path)
    assert str(caught.value).startswith("tiny.toml: ")
    assert str(tmp_path) not in str(caught.value)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text('colour = "red"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(CardError, match="'colour' is not known"):
        read_card(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="No model card"):
        load_cards(tmp_path)


def test_other_weights_than_the_cards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="missing"):
        verify_weights(CARD, tmp_path)
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(b"weights")
    verify_weights(CARD, tmp_path)
    path.write_bytes(b"Weights")
    with pytest.raises(WeightsMismatch, match="sha256"):
        verify_weights(CARD, tmp_path)


def test_a_method_without_weights_is_named_by_what_it_says(tmp_path: Path) -> None:
    method = replace(CARD, weights_file="", weights_sha256="")
    written(tmp_path, method)
    assert load_cards(tmp_path) == {"tiny": method}
    verify_weights(method, tmp_path)  # there is nothing to look for
    assert re.fullmatch("[0-9a-f]{16}", method.fingerprint)
    others = [replace(method, **{name: "x"}) for name in ("architecture", "command", "summary")]
    assert len({card.fingerprint for card in (CARD, method, *others)}) == 5
    assert replace(method, limits="None.").fingerprint == method.fingerprint


@pytest.mark.parametrize(
    ("weights_file", "sha256", "words"),
    [
        ("", CARD.weights_sha256, "must be empty without weights"),
        ("tiny.safetensors", "", "64 lower-case hex digits"),
    ],
)
def test_a_hash_and_a_weights_file_go_together(
    tmp_path: Path, weights_file: str, sha256: str, words: str
) -> None:
    path = written(tmp_path, replace(CARD, weights_file=weights_file, weights_sha256=sha256))
    with pytest.raises(CardError, match=words):
        read_card(path)


def test_bundled_cards_and_weights_belong_together() -> None:
    cards = load_cards()
    assert list(cards) == [
        "crayon-birds", "crayon-garments", "detector-centernet", "detector-j0", "detector-j100",
        "detector-j33", "detector-j67", "digits-p4", "digits-plain", "digits-rotated",
        "fashion-plain", "fashion-rotated", "imagenet-lite0", "insights-campaigns",
        "insights-films", "metric-cars", "needle-ats", "needle-cnn", "needle-zoom", "pairs-clip",
        "pairs-random", "pairs-rankclip-c", "pairs-rankclip-i", "pairs-rankclip",
        "people-clip",
        "piv-correlation", "piv-farneback", "piv-net", "points-plain", "points-rotated",
        "text-minilm", "text-words",
    ]  # fmt: skip
    for card in cards.values():
        verify_weights(card)
        if card.task == "crayon":  # each set has two classes of its own
            assert len(card.classes) == 2
        elif card.task == "detection":  # a detector may know fewer things than COCO
            assert set(card.classes) <= set(class_names(card.task))
        else:
            assert card.classes == class_names(card.task)
    on_disk = {path.name for path in WEIGHTS.glob("*.safetensors")}
    named = {card.weights_file for card in cards.values()}
    assert on_disk == {name for name in named if name and ":" not in name}


def test_variants_of_a_task_had_the_same_budget() -> None:
    cards = load_cards()
    for task in ("digits", "fashion"):
        budgets = {
            (card.metrics["steps"], card.metrics["batch_size"], card.metrics["seed"], card.data)
            for card in cards.values()
            if card.task == task
        }
        assert len(budgets) == 1


def test_the_document_lists_each_field_of_a_card() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", DOC.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows == [field.name for field in fields(ModelCard)]


def test_cards_are_compared_by_value() -> None:
    assert replace(CARD, title="Other") != CARD
