"""A table of thirty offers with pictures, as somebody would upload it."""

from __future__ import annotations

import io
import zipfile

from PIL import Image

from backend.crayon import library as folders
from backend.insights.importer import Upload
from backend.settings import Settings

HEAD = "content_id,experiment_id,domain,text,image,impressions,clicks"
ROWS = [
    f"c{i},e{i // 3},{('mail', 'shop')[i // 15]},Offer number {i},{i % 3}.png,{1000 + i},{10 + i}"
    for i in range(30)
]


def own_folder(tmp_path, monkeypatch):
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


# Rows that are refused, and what is said when they come after the thirty.
BAD_ROWS = [
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
