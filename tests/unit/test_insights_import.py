"""A user's table becomes contents as a whole or not at all; what is wrong is named by its row."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.crayon import library as folders
from backend.errors import BadRequest
from backend.insights import importer, library, table
from backend.insights.importer import Upload
from backend.insights.table import cell_text, column_map, parsed_map
from tests.insights_uploads import BAD_ROWS, HEAD, ROWS, archive, empty, own_folder, png, upload


@pytest.fixture
def state(tmp_path, monkeypatch):
    return own_folder(tmp_path, monkeypatch)


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


@pytest.mark.parametrize(
    ("row", "sentence"), BAD_ROWS, ids=[sentence[:40] for _, sentence in BAD_ROWS]
)
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
