"""The bundled sets keep their promises; published layouts load as they lie."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from PIL import Image

from backend.crayon import birds, layouts, patched, sets
from backend.datasets import DATA
from backend.errors import BadRequest, NotFound

NOTES = tomllib.loads((DATA / "crayon" / "birds.toml").read_text(encoding="utf-8"))


def test_birds_have_the_proportions_of_waterbirds():
    held = sets.load("birds")
    counts = np.bincount(held.groups[held.rows("training")])
    assert counts.tolist() == [1750, 92, 28, 530]
    assert np.abs(counts / counts.sum() - np.array([3498, 184, 56, 1057]) / 4795).max() < 0.005
    for split, count in (("validation", 60), ("test", 150)):
        assert np.bincount(held.groups[held.rows(split)]).tolist() == [count] * 4


def test_no_bird_and_no_background_is_on_two_sides():
    with np.load(DATA / "crayon" / "birds.npz", allow_pickle=False) as file:
        recipes, names, below = file["recipes"], file["bird_names"], file["ground_names"]
    for column, told in ((birds.BIRD, names), (birds.CROP, below)):
        sides = [set(told[recipes[recipes[:, 0] == s][:, column]].tolist()) for s in range(3)]
        assert all(not a & b for i, a in enumerate(sides) for b in sides[i + 1 :])


def test_no_group_rests_on_three_pictures_or_one_source():
    for kind in ("land", "water"):
        for side in ("training", "test"):
            cut = NOTES["birds"][side][kind]
            assert len(cut) > 3
            assert {name.startswith("noto:") for name in cut} == {True, False}


def test_the_mask_is_where_the_bird_was_pasted():
    held = sets.load("birds")
    row = int(held.rows("test")[0])
    image, mask = held.image(row), held.cover([row], (128, 128))[0]
    assert image.shape == (128, 128, 3)
    assert 0.02 < mask.mean() < 0.45
    coarse = held.cover([row], (8, 8))[0]
    assert np.allclose(coarse, mask.reshape(8, 16, 8, 16).mean(axis=(1, 3)), atol=1e-6)
    assert np.array_equal(image, held.image(row))
    assert len(held.item_hash(row)) == 16
    assert held.item_hash(row) != held.item_hash(row + 1)


def test_garments():
    held = sets.load("garments")
    rows = held.rows("training")
    aligned = (held.groups[rows] % 2 == held.labels[rows]).mean()
    assert aligned == 0.95
    assert np.bincount(held.groups[held.rows("test")]).tolist() == [150] * 4
    image = held.image(0)
    tint = patched.COLOURS[held.groups[0] % 2]
    assert (image == tint).all(axis=2).sum() == patched.PATCH_PX**2
    assert held.cover([0], (7, 7)).max() <= 1


def test_the_generator_aligns_exactly():
    y = np.arange(100) % 2
    tint = patched.colours(y, 0.9, np.random.default_rng(0))
    assert [(tint[y == k] == k).sum() for k in (0, 1)] == [45, 45]
    with pytest.raises(BadRequest):
        patched.colours(y, 1.5, np.random.default_rng(0))


def test_questions_say_mainly_and_name_the_class():
    for key in sets.bundled():
        assert "mainly" in sets.load(key).question
    with pytest.raises(NotFound, match="no set"):
        sets.load("dogs")
    with pytest.raises(NotFound, match="no item"):
        sets.load("birds").image(99999)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), (10, 200, 30)).save(path)


def test_waterbirds_layout(tmp_path):
    for name in "abc":
        picture(tmp_path / "x" / f"{name}.jpg")
    (tmp_path / "metadata.csv").write_text(
        "img_id,img_filename,y,split,place\n1,x/a.jpg,0,0,0\n2,x/b.jpg,1,0,0\n3,x/c.jpg,1,2,1\n"
    )
    held = layouts.waterbirds(tmp_path)
    assert held.group_names == ("land bird on land", "water bird on land", "water bird on water")
    assert held.split.tolist() == [0, 0, 2]
    assert held.image(1).shape == (128, 128, 3)
    assert sets.checked_counts(held) is held


def test_any_csv_and_its_errors(tmp_path):
    picture(tmp_path / "a.png")
    path = tmp_path / "own.csv"
    path.write_text("image,label,group,split\na.png,dog,dog indoors,train\n")
    held = layouts.simple_csv(path)
    assert held.asked(0) == "Is the strong highlight mainly on the dog?"
    with pytest.raises(BadRequest, match="fewer than two classes"):
        sets.checked_counts(held)
    for body, sentence in [
        ("image,label,split\n", "no column 'group'"),
        ("image,label,group,split\n", "has no image"),
        ("image,label,group,split\n../a.png,dog,g,train\n", "no image '../a.png'"),
        ("image,label,group,split\na.png,dog,g,later\n", "split 'later'"),
    ]:
        path.write_text(body)
        with pytest.raises(BadRequest, match=sentence):
            layouts.simple_csv(path)


def test_celeba_layout(tmp_path):
    lines = ["4", "Smiling Black_Hair Blond_Hair"]
    for i, values in enumerate(["1 1 -1", "-1 -1 1", "1 1 1", "-1 1 -1"]):
        picture(tmp_path / "img_align_celeba" / f"{i}.jpg")
        lines.append(f"{i}.jpg {values}")
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(lines))
    held = layouts.celeba(tmp_path)
    assert held.names == ("0.jpg", "1.jpg", "3.jpg")
    assert held.panels == ("overlay",)
    few = layouts.celeba(tmp_path, {"smiling, black hair": 0})
    assert few.names == ("1.jpg", "3.jpg")
    (tmp_path / "list_attr_celeba.txt").write_text("1\nSmiling\n")
    with pytest.raises(BadRequest, match="Black_Hair"):
        layouts.celeba(tmp_path)


def test_in9_layout(tmp_path):
    for kind in ("00_dog", "01_bird"):
        picture(tmp_path / "mixed_rand" / "val" / kind / "a.jpg")
    held = layouts.in9(tmp_path, "mixed_rand")
    assert held.classes == ("00_dog", "01_bird")
    with pytest.raises(BadRequest, match="no mixed_same/val"):
        layouts.in9(tmp_path, "mixed_same")
