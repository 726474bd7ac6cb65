"""What a preview tells, and the sets that are kept of uploaded tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import NotFound
from backend.insights import contents, image_files, importer, library, stash
from backend.insights.importer import Upload
from tests.insights_uploads import BAD_ROWS, HEAD, PICTURES, ROWS, own_folder, png, upload


@pytest.fixture
def state(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


def test_a_preview_tells_everything_and_imports_nothing(state):
    bad = [*ROWS, *(row.replace("x,", f"x{i},") for i, (row, _) in enumerate(BAD_ROWS[:5]))]
    told = importer.preview(upload(bad))
    assert told["n_problems"] == 5
    assert [problem["row"] for problem in told["problems"]] == [31, 32, 33, 34, 35]
    assert told["problems"][1]["sentence"].startswith("Row 32 has 101 clicks")
    assert told["mapping"]["text"] == ["text"]
    assert told["preview"][0][:4] == ["c0", "e0", "mail", "Offer number 0"]
    assert told["summary"]["domains"] == 2
    assert importer.preview(upload(["A"], "words"))["problems"][0]["row"] == 0
    assert library.titles() == {}


def test_a_set_is_kept_and_read_as_it_was(state):
    said = {"features": ["clicks"], "held_out": ["shop"]}
    made = library.add(upload(), said, "My offers")
    assert made.key.startswith("own-my-offers-")
    assert contents.known()[made.key] == "My offers"
    library._held.clear()
    held, once = (
        contents.load(made.key),
        importer.read(upload(), {"features": ["clicks"], "held_out": ["shop"]}),
    )
    for name in (
        "ids",
        "fields",
        "parts",
        "domains",
        "experiments",
        "held_out",
        "notes",
        "fingerprint",
    ):
        assert getattr(held, name) == getattr(once, name), name
    for name in ("domain", "experiment", "is_control", "dates", "success", "clicks", "split"):
        np.testing.assert_array_equal(getattr(held, name), getattr(once, name))
    np.testing.assert_array_equal(held.numbers["clicks"], once.numbers["clicks"])
    np.testing.assert_array_equal(held.pictures.images([0, 4]), once.pictures.images([0, 4]))
    assert contents.load(made.key) is held
    library.remove(made.key)
    with pytest.raises(NotFound):
        contents.load(made.key)


def test_without_its_last_file_a_set_is_not_there(state):
    made = library.add(upload(), title="Half")
    place = library.folder() / "sets" / made.key
    (place / library.TABLE).write_bytes(b"broken")
    library._held.clear()
    with pytest.raises(NotFound, match="files of Half are broken"):
        contents.load(made.key)
    (place / library.ABOUT).unlink()
    assert library.titles() == {}
    assert library.add(upload(), title="Half").key == made.key  # a second import completes it
    assert len(contents.load(made.key)) == 30


def test_tables_lie_below_the_allowed_folders(state, tmp_path):
    (state / "pictures").mkdir()
    for name in "012":
        (state / "pictures" / f"{name}.png").write_bytes(png())
    (state / "t.csv").write_text("\n".join([HEAD, *ROWS]))
    (tmp_path / "outside.csv").write_text("\n".join([HEAD, *ROWS]))
    assert len(library.add_path("t.csv", "pictures")) == 30
    for path in ("../outside.csv", "missing.csv", str(tmp_path / "outside.csv")):
        with pytest.raises(NotFound):
            library.add_path(path)
    (state / "pictures/out.png").symlink_to(tmp_path / "outside.csv")
    with image_files.opened(state / "pictures") as files:
        assert files.has("0.png")
        assert not files.has("out.png")
        assert not files.has("../t.csv")


def test_what_waits_is_found_by_its_token_and_the_oldest_go(state):
    tokens = [stash.put(b"text,success\nA,0.1\n", "t.csv") for _ in range(stash.MOST + 3)]
    assert stash.get(tokens[-1]).name == "t.csv"
    assert len(list((library.folder() / "waiting").iterdir())) == stash.MOST
    for token in ("../x", "", "0" * 32):
        with pytest.raises(NotFound):
            stash.get(token)
    steps: list[tuple[int, int]] = []
    token = stash.put(upload().data, "offers.csv", PICTURES)
    found = stash.work({"token": token, "mapping": {}, "title": ""}, lambda *at: steps.append(at))
    assert contents.load(found["set"].tobytes().decode()).title == "offers"
    assert len(steps) == 30
    with pytest.raises(NotFound):
        stash.get(token)


UPWORTHY = Path(__file__).resolve().parents[2].parent / "shared/data/upworthy/experiments.parquet"


@pytest.mark.skipif(
    not UPWORTHY.exists(), reason="the Upworthy archive is not beside this checkout"
)
def test_the_upworthy_archive_loads_as_it_lies():
    held = importer.read(Upload.of(UPWORTHY))
    assert (len(held), len(held.pairs())) == (15_616, 3_358)
    np.testing.assert_allclose(np.bincount(held.split) / len(held), (0.5, 0.1, 0.4), atol=0.005)
    seen: dict[str, int] = {}
    assert all(seen.setdefault(t, s) == s for t, s in zip(held.texts(), held.split, strict=True))
