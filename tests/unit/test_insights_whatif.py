"""Edits, trials and interactions: they agree with a fresh evaluation, and cost what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.errors import BadRequest
from backend.insights import attribute, changes, interactions, parts, trials, whatif
from tests.insights_sets import BAD, GOOD, fitted, tiny


def predicted(row: int) -> float:
    """What the model says of a content as it is."""
    return float(fitted().predict(fitted().inputs(tiny(), [row]))[0])


def test_an_edited_headline_is_predicted_as_a_fresh_content() -> None:
    model, held = fitted(), tiny()
    row = next(k for k in range(len(held)) if BAD in held.text(k))
    draft = changes.checked(held, {"fields": {"headline": f"Get the {GOOD} today"}})
    found = whatif.predict(model, held, row, draft)
    text, inputs = whatif.edited(model, held, row, draft)
    assert GOOD.split()[0] in text.words
    assert found.rate == pytest.approx(float(model.predict(inputs)[0]), abs=1e-6)
    assert found.before == pytest.approx(predicted(row), abs=1e-6)
    assert found.difference == pytest.approx(found.rate - found.before, abs=1e-9)
    assert found.difference > 0
    assert found.low < found.rate < found.high
    assert found.difference_low < found.difference < found.difference_high


def test_without_an_edit_nothing_changes() -> None:
    model, held = fitted(), tiny()
    found = whatif.predict(model, held, 3, changes.Changes())
    assert found.difference == 0
    assert found.rate == found.before


def test_a_changed_feature_and_domain_are_read() -> None:
    model, held = fitted(), tiny()
    said = {"domain": 1 - int(held.domain[0]), "features": {"device": "desk", "words": None}}
    _, inputs = whatif.edited(model, held, 0, changes.checked(held, said))
    _, plain = whatif.edited(model, held, 0, changes.Changes())
    assert not torch.equal(inputs.domain, plain.domain)
    assert inputs.features[0, 0] == 0  # a missing number is the mean


def test_phrases_cost_contents_plus_candidates_and_equal_edited_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, held = fitted(), tiny()
    rows, candidates = [0, 1, 2, 5], [GOOD, BAD, "city guide"]
    counted: list[int] = []
    tokens = type(model.net.text).tokens

    def counting(self: object, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        counted.append(len(words))
        return tokens(self, words, mask)  # type: ignore[arg-type]

    monkeypatch.setattr(type(model.net.text), "tokens", counting)
    found = trials.phrases(model, held, rows, candidates)
    lines = sum(len(held.text(row).split("\n")) for row in rows)
    assert sum(counted) <= 2 * lines + len(candidates)  # never lines x candidates
    assert found.n_encoded == len(rows) + len(candidates)
    monkeypatch.undo()
    for k, row in enumerate(rows):
        for j, phrase in enumerate(candidates):
            button = held.parts[row][1] + f"\n{phrase}"
            _, inputs = whatif.edited(model, held, row, changes.Changes({"button": button}))
            assert found.after[k, j] == pytest.approx(float(model.predict(inputs)[0]), abs=1e-6)
    assert (found.difference[:, 0] > found.difference[:, 1]).all()


def test_patches_cost_contents_plus_candidates_and_come_close_to_pasting() -> None:
    model, held = fitted(), tiny()
    rows = [0, 1, 2, 5]
    red = np.zeros((2, 32, 32, 3), np.uint8)
    red[0, ..., 0] = 255
    red[1] = 128
    found = trials.patches(model, held, rows, red, (0, 0))
    assert found.n_encoded == 6
    for j in range(2):
        for k, row in enumerate(rows):
            inputs = model.inputs(held, [row])
            assert inputs.pixels is not None
            pasted = inputs.pixels.clone()
            pasted[0, :, :32, :32] = torch.from_numpy(red[j]).permute(2, 0, 1) / 255
            whole = type(inputs)(
                inputs.lines, pasted, inputs.has_image, inputs.domain, inputs.features
            )
            assert found.after[k, j] == pytest.approx(float(model.predict(whole)[0]), rel=0.25)


def test_what_cannot_be_tried_is_a_sentence() -> None:
    model, held = fitted(), tiny()
    with pytest.raises(BadRequest, match="cannot be tried"):
        trials.phrases(model, held, [0], [])
    with pytest.raises(BadRequest, match="does not fit"):
        trials.patches(model, held, [0], np.zeros((1, 32, 32, 3), np.uint8), (14, 0))


def test_shapley_weights_of_a_game_of_hand() -> None:
    inside = interactions.subsets(2)
    value = np.array([0.0, 1.0, 2.0, 6.0])  # none, first, second, both
    assert inside.tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert interactions.shapley(2) @ value == pytest.approx([2.5, 3.5])


def test_the_table_of_interactions_adds_up_to_the_prediction() -> None:
    model, held = fitted(), tiny()
    opened = parts.open_rows(model, held, [0])
    found = interactions.table(model, opened, [np.array([2, 3]), np.array([0])], [(0, 0), (8, 8)])
    assert found.pair.shape == (3, 3)
    total = found.base + found.main_text.sum() + found.main_image.sum() + found.pair.sum()
    assert total == pytest.approx(found.prediction, abs=1e-9)
    assert found.prediction == pytest.approx(predicted(0), abs=1e-6)
    assert found.n_encoded == 2**3 + 2**3


def test_an_additive_model_has_no_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    model, held = fitted(), tiny()

    def additive(embeddings: dict[str, torch.Tensor]) -> torch.Tensor:
        return sum(e.sum(1) for e in embeddings.values()) * 1e-3  # type: ignore[return-value]

    monkeypatch.setattr(model.net, "rate", additive)
    opened = parts.open_rows(model, held, [0])
    found = interactions.table(model, opened, [np.array([2, 3])], [(0, 0)])
    assert np.abs(found.pair).max() < 1e-6


def test_the_public_attribute_is_that_of_the_row() -> None:
    model, held = fitted(), tiny()
    found = attribute(model, (held, 4), "grad-cam")
    assert found.prediction == pytest.approx(predicted(4), abs=1e-6)
    assert len(found.words) == len(held.text(4).split())
