"""A user's table becomes contents as a whole or not at all; what is wrong is named by its row."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.crayon import library as folders
from backend.errors import BadRequest, NotFound
from backend.insights import contents, image_files, importer, library, stash, table
from backend.insights.importer import Upload
from backend.insights.table import cell_text, column_map, parsed_map
from backend.settings import Settings

HEAD = "content_id,experiment_id,domain,text,image,impressions,clicks"
ROWS = [
    f"c{i},e{i // 3},{('mail', 'shop')[i // 15]},Offer number {i},{i % 3}.png,{1000 + i},{10 + i}"
    for i in range(30)
]


@pytest.fixture
def state(tmp_path, monkeypatch):
    """A state folder of its own, and an allowed folder."""
    (tmp_path / "mine").mkdir()
    env = {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_IMAGE_ROOTS": str(tmp_path / "mine")}
    monkeypatch.setattr(folders, "_settings", Settings.from_env(env))
    return tmp_path / "mine"


def png(width=40, height=30, colour=(200, 30, 60)):
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def empty(width, height):
    """A large black picture in few bytes, quickly made."""
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def archive(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


PICTURES = archive(
    **{
        "pack/0.png": png(),
        "pack/1.png": png(30, 40, (9, 200, 9)),
        "pack/2.png": png(colour=(0, 0, 250)),
    }
)


def upload(rows=ROWS, head=HEAD, images=PICTURES, name="table.csv"):
    return Upload("\n".join([head, *rows]).encode(), name, images)


def test_a_table_with_a_zip_becomes_contents():
    held = importer.read(upload(), title="Mine")
    assert (held.title, held.simulated, len(held)) == ("Mine", False, 30)
    assert held.domains == ("mail", "shop")
    assert held.experiments[:2] == ("e0", "e1")
    assert held.is_control.sum() == 10
    assert held.texts()[4] == "Offer number 4"
    assert held.success[2] == 12 / 1002
    assert held.pictures.has_image.all()
    assert not held.pictures.redraws
    assert held.pictures.source_pixels.tolist() == [1200] * 30
    one = held.pictures.images([0, 1], 64)
    assert np.abs(one[0, 32, 32].astype(int) - (200, 30, 60)).max() < 12
    assert not one[0, :7].any()  # 40 x 30 stands in a square, nothing is cut off
    assert not one[1, :, :7].any()
    assert set(held.split.tolist()) <= {0, 1, 2}
    assert held.pairs().shape == (10, 2)


def test_tables_without_images_without_texts_and_without_experiments():
    plain = importer.read(upload(["A,100,5", "B,100,7"], "headline,impressions,clicks", None))
    assert plain.pictures is None
    assert plain.ids == ("1", "2")
    assert plain.domains == ("all",)
    assert plain.fields == ("headline",)
    assert not len(plain.pairs())
    pictures = importer.read(upload(["0.png,0.25"], "image,success"), "text=")
    assert pictures.texts() == ("",)
    assert pictures.success.tolist() == [0.25]
    assert np.isnan(pictures.clicks).all()


BAD = [
    ("c0,e0,mail,Again,0.png,100,5", "Row 31 has the content id 'c0' of row 1."),
    ("x,e0,mail,More clicks,0.png,100,101", "Row 31 has 101 clicks of 100 impressions"),
    ("x,e0,mail,No views,0.png,0,0", "Row 31 has 0 impressions, so it has no success rate."),
    ("x,e0,mail,Fewer,0.png,-3,0", "Row 31 has -3 impressions"),
    ("x,e0,mail,Minus,0.png,100,-1", "Row 31 has -1 clicks"),
    ("x,e0,mail,Half,0.png,100,1.5", "Row 31 has '1.5' as clicks; a whole number is needed."),
    ("x,e0,mail,None,0.png,nan,1", "Row 31 has 'nan' as impressions"),
    ("x,e0,mail,None,0.png,,1", "Row 31 has '' as impressions"),
    ("x,e0,mail,,,100,5", "Row 31 has neither a text nor an image."),
    ("x,e0,mail,Gone,9.png,100,5", "Row 31 names the image '9.png', which is not among the 3"),
    ("x,e0,mail,Out,../../etc/passwd,100,5", "Row 31 names the image '../../etc/passwd'"),
    (f"x,e0,mail,{'word ' * 10_000},0.png,100,5", "Row 31: the text has 10,000 words; 2,000 are"),
    (f"x,e0,mail,{'w' * 30_000},0.png,100,5", "Row 31: the text has 30,000 characters"),
    ("x,e0,shop,Elsewhere,0.png,100,5", "Row 31 puts the experiment 'e0' into the domain 'shop'"),
    ("x,,mail,No test,0.png,100,5", "Row 31 has no experiment."),
    ("x,e0,,No place,0.png,100,5", "Row 31 has no domain."),
    (f"{'x' * 300},e0,mail,Long id,0.png,100,5", "Row 31: the content id has 300 characters"),
    ("x,e0,mail,Few cells,100,5", "Row 31 has 6 cells; the table has 7 columns."),
]


@pytest.mark.parametrize(("row", "sentence"), BAD, ids=[sentence[:40] for _, sentence in BAD])
def test_a_bad_row_is_named_and_nothing_is_imported(state, row, sentence):
    with pytest.raises(BadRequest) as caught:
        library.add(upload([*ROWS, row]))
    assert caught.value.message.startswith(sentence)
    assert library.titles() == {}


def test_a_broken_image_is_named_by_its_row_and_nothing_is_imported(state):
    bad = archive(**{"0.png": png(), "1.png": b"no image", "2.png": png()})
    with pytest.raises(BadRequest, match=r"^Row 2: 1\.png: The file is not an image") as caught:
        library.add(upload(images=bad))
    assert "Nothing was imported" in caught.value.hint
    assert library.titles() == {}
    assert not list((folders.settings().state_dir / "insights").rglob("*.npz"))


def test_a_large_image_is_taken_and_a_larger_one_is_refused():
    held = importer.read(upload([*ROWS[:1]], images=archive(**{"0.png": empty(6000, 6000)})))
    assert held.pictures.source_pixels.tolist() == [36_000_000]
    assert held.pictures.image(0, 512).shape == (512, 512, 3)
    assert len(held.pictures.data) < 20_000
    with pytest.raises(BadRequest, match=r"Row 1: 0\.png: The image has 8000 x 6000 pixels"):
        importer.read(upload([*ROWS[:1]], images=archive(**{"0.png": empty(8000, 6000)})))


def test_emoji_right_to_left_text_and_html_stay_as_they_are():
    texts = ["🎁 Free 👩‍👩‍👧!", "מבצע סוף שבוע", "عرض خاص", "<script>alert(1)</script> <b>Now</b>"]
    rows = [f"{i},e{i},mail,{text},,100,5" for i, text in enumerate(texts)]
    held = importer.read(upload(rows, images=None))
    assert list(held.texts()) == texts
    assert held.notes[0] == "1 of 4 texts hold HTML tags, which are shown, never rendered."
    assert cell_text("a\x00b\ud800c\n d\t e") == "a b c d e"


def test_a_domain_with_three_contents_is_noted_with_its_rows():
    rows = [f"{i},e{i},mail,Text {i},,100,5" for i in range(25)]
    rows += [f"s{i},s{i},tiny,Text s{i},,100,5" for i in range(3)]
    (note,) = [n for n in importer.read(upload(rows, images=None)).notes if "tiny" in n]
    assert note.startswith("The domain 'tiny' has 3 contents (rows 26, 27, 28)")


def test_experiments_with_one_arm_and_named_controls():
    head = f"{HEAD},arm"
    rows = ["a,e,m,A,,100,5,treatment", "b,e,m,B,,100,5,Control", "c,f,m,C,,100,5,control"]
    held = importer.read(upload(rows, head, None))
    assert held.is_control.tolist() == [False, True, True]
    assert held.notes[0].startswith("1 of 2 experiments have one arm")
    rows.append("d,f,m,D,,100,5,control")
    with pytest.raises(BadRequest, match="Row 3: the experiment 'f' has 2 control arms, not 1"):
        importer.read(upload(rows, head, None))


def test_features_are_numbers_or_choices_and_dates_are_days():
    head = "text,success,price,colour,week"
    rows = ["A,0.1,3.5,red,201401", "B,0.2,,blue,201452", "C,0.3,7,,201400"]
    said = "features=price+colour,date=week"
    held = importer.read(upload(rows, head, None), said)
    np.testing.assert_array_equal(held.numbers["price"], [3.5, np.nan, 7])
    assert held.choices["colour"].values == ("blue", "red")
    assert held.choices["colour"].codes.tolist() == [1, 0, -1]
    assert [str(day) for day in held.dates] == ["2014-01-06", "2014-12-29", "2013-12-30"]
    for text, day in [
        ("2014-11-03T10:00", "2014-11-03"),
        ("2014-11", "2014-11-01"),
        ("201411", "2014-11-01"),
    ]:
        one = importer.read(upload([f"A,0.1,1,red,{text}"], head, None), said)
        assert str(one.dates[0]) == day
    with pytest.raises(BadRequest, match="Row 1 has the date 'soon'"):
        importer.read(upload(["A,0.1,1,red,soon"], head, None), said)
    many = [f"A{i},0.1,1,c{i},2014" for i in range(300)]
    with pytest.raises(BadRequest, match="'colour' has 300 different values"):
        importer.read(upload(many, head, None), said)
    with pytest.raises(BadRequest, match=r"Row 2 has the success 1\.5; allowed are shares"):
        importer.read(upload([rows[0], "B,1.5,1,red,2014"], head, None))


def test_domains_can_be_held_out():
    held = importer.read(upload(), {"held_out": ["shop"]})
    assert held.held_out == frozenset({1})
    assert (held.split[held.domain == 1] == 3).all()
    for said, sentence in [("held_out=sale", "no domain 'sale'"), ("held_out=mail+shop", "Every")]:
        with pytest.raises(BadRequest, match=sentence):
            importer.read(upload(), said)


def test_parquet_and_other_separators_and_a_mark_at_the_start():
    frame = pd.DataFrame({"headline": ["A", "B"], "impressions": [100, 200], "clicks": [5, 6]})
    out = io.BytesIO()
    frame.to_parquet(out)
    held = importer.read(Upload(out.getvalue(), "t.parquet"))
    assert held.success.tolist() == [0.05, 0.03]
    text = "\ufeffheadline;impressions;clicks\nA;100;5\n\nB;200;6\n".encode()
    other = importer.read(Upload(text, "t.csv"))
    assert other.texts() == held.texts()
    assert other.success.tolist() == held.success.tolist()


def _twice():
    """A Parquet file with a column twice."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "t.csv", "t.csv is empty"),
        (b"text,success\n", "t.csv", "t.csv has no rows"),
        (b"\xff\xfe\x00", "t.csv", "t.csv is not UTF-8"),
        (b'text,success\n"A,0.1\n', "t.csv", "not a readable CSV"),
        (b"text,text,success\nA,B,0.1\n", "t.csv", "column 'text' twice"),
        (b"text,clicks\nA,1\n", "t.csv", "how successful"),
        (_twice(), "t.parquet", "column 'text' twice"),
        (b"name,success\nA,0.1\n", "t.csv", "holds a text or an image"),
        (b"PAR1", "t.parquet", "not a readable Parquet"),
        (b"x", "t.xlsx", "not a .csv or .parquet"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_sentence(data, name, sentence):
    with pytest.raises(BadRequest, match=sentence):
        importer.read(Upload(data, name))


CELL = st.one_of(st.text(max_size=12), st.integers(-2, 40).map(str))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=3),
    st.sampled_from(["csv", "parquet"]),
)
def test_whatever_is_in_a_table_it_is_read_or_refused_with_a_sentence(rows, suffix):
    out = io.StringIO()
    csv.writer(out).writerows([["text", "impressions", "clicks"], *rows])
    data = out.getvalue().encode("utf-8", "replace")
    if suffix == "parquet":
        clean = [[cell.encode("utf-8", "replace").decode() for cell in row] for row in rows]
        packed = io.BytesIO()
        pd.DataFrame(clean, columns=["text", "impressions", "clicks"]).to_parquet(packed)
        data = packed.getvalue()
    try:
        held = importer.read(Upload(data, f"t.{suffix}"))
    except BadRequest:
        return
    assert ((held.success >= 0) & (held.success <= 1)).all()
    assert all(held.texts())


def test_a_parquet_file_is_measured_before_it_is_unpacked(monkeypatch):
    frame = pd.DataFrame({"text": ["a"] * 50, "success": [0.5] * 50})
    out = io.BytesIO()
    frame.to_parquet(out)
    monkeypatch.setattr(table, "MOST_BYTES", 100)
    with pytest.raises(BadRequest, match=r"t\.parquet unpacks to 0 MB"):
        importer.read(Upload(out.getvalue(), "t.parquet"))
    monkeypatch.setattr(table, "MOST_ROWS", 40)
    with pytest.raises(BadRequest, match=r"has 50 rows and 2 columns"):
        importer.read(Upload(out.getvalue(), "t.parquet"))


def test_images_that_memory_cannot_hold_are_refused(monkeypatch):
    monkeypatch.setattr(importer, "MOST_BYTES", 100)
    with pytest.raises(BadRequest, match="The images need more than"):
        importer.read(upload())


def test_maps_of_columns():
    assert parsed_map("text=a+b, image=c")["text"] == ("a", "b")
    assert parsed_map("text=a+b, image=c")["image"] == "c"
    found = column_map(["Headline", "VIEWS", "Clicks", "clickability_test_id"])
    assert found.text == ("Headline",)
    assert (found.impressions, found.experiment_id) == ("VIEWS", "clickability_test_id")
    assert column_map(["text", "domain", "success"], {"domain": ""}).domain == ""
    for said, sentence in [
        ("words=a", "'words' is not something"),
        ("text=nothing", "no column 'nothing'"),
        ({"text": 5}, "text is '5'"),
        ({"image": ["a"]}, "image is"),
    ]:
        with pytest.raises(BadRequest, match=sentence):
            column_map(["text", "success"], said)


def test_a_preview_tells_everything_and_imports_nothing(state):
    bad = [*ROWS, *(row.replace("x,", f"x{i},") for i, (row, _) in enumerate(BAD[:5]))]
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
