"""Clouds as items: what a set refuses, how pictures are drawn, and reading files of points."""

from __future__ import annotations

import io

import numpy as np
import pytest

from backend import datasets, own_sets
from backend.cache import ArrayStore
from backend.cloud_files import BadCloud, own_clouds, read_clouds
from backend.clouds import CloudItems, normalised, picture
from backend.items import BadItems


def cloud(n=300, seed=0):
    """(n, 3) points of a Gaussian blob off the origin."""
    return np.random.default_rng(seed).normal([5, 2, 1], [3, 1, 2], (n, 3))


def made(points, **changes):
    """A set of clouds (n, p, 3)."""
    n = len(points)
    values = {
        "labels": np.zeros(n, np.int64),
        "ids": np.arange(n),
        "names": tuple(f"c{i}" for i in range(n)),
        "classes": ("a", "b"),
    }
    return CloudItems(
        key="k", title="Clouds", points=points, source="s", licence="l", **(values | changes)
    )


def blobs(n=3):
    return normalised(np.stack([cloud(seed=i) for i in range(n)]))


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def text(points, separator=" "):
    return "\n".join(separator.join(f"{v:.6f}" for v in p) for p in points).encode()


def ply(points, head="ply\nformat ascii 1.0\ncomment made up", order="xyz"):
    axes = "\n".join(f"property float {axis}" for axis in order)
    columns = points[:, ["xyz".index(axis) for axis in order]]
    header = f"{head}\nelement vertex {len(points)}\n{axes}\nelement face 0\nend_header\n"
    return header.encode() + text(columns)


def test_the_bundled_set_is_what_it_says():
    held, info = datasets.load("furniture"), datasets.bundled()["furniture"]
    assert len(held) == info.count == 100
    assert held.shape == info.shape
    assert held.points.shape == (100, 2048, 3)
    assert held.points.dtype == np.float32
    radius = np.linalg.norm(held.points, axis=2)
    np.testing.assert_allclose(radius.max(1), 1, atol=2e-3)  # stored as half precision
    assert np.abs(held.points.mean(1)).max() < 1e-3
    assert np.bincount(held.labels).min() >= 5
    assert set(held.columns["licence"]) <= {"CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US"}
    assert all("Sweet Home 3D" in source for source in held.columns["source"])


def test_furniture_stands_upright():
    """A person is taller than wide, and most of a table's surface is near its top."""
    held = datasets.load("furniture")
    upright = [
        row
        for row, name in enumerate(held.names)
        if held.classes[held.labels[row]] == "person" and "Lying" not in name and "Sit" not in name
    ]
    assert upright
    extent = np.ptp(held.points[upright], axis=1)
    assert (extent[:, 2] > 1.5 * extent[:, :2].max(1)).all()
    tables = held.points[held.labels == held.classes.index("table")]
    assert (tables[:, :, 2] > 0).mean() > 0.5


def test_no_model_or_near_duplicate_is_on_both_sides():
    import tomllib

    text = (datasets.DATA / "points" / "models.toml").read_text(encoding="utf-8")
    notes = tomllib.loads(text)["model"]
    sides = {note["group"]: set() for note in notes}
    for note in notes:
        sides[note["group"]].add(note["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert len({note["key"] for note in notes}) == len(notes) == 331


def test_rows_are_copies_in_the_order_asked_for():
    held = made(blobs(), labels=np.array([1, -1, 0]))
    assert np.array_equal(held.inputs([2, 0]), held.points[[2, 0]])
    assert held.truth([1, 0]).tolist() == [-1, 1]
    assert held.columns["label"].tolist() == ["b", "unknown", "a"]
    held.inputs([0])[:] = 0
    assert held.points[0].any()
    with pytest.raises(ValueError, match="read-only"):
        held.points[0, 0, 0] = 0
    assert held.images([0, 2]).shape == (2, 64, 64)
    assert np.array_equal(held.image(2), held.images([2])[0])
    for bad in (-1, 3):
        with pytest.raises(BadItems, match="no row"):
            held.images([bad])


def test_the_fingerprint_is_of_points_labels_and_ids():
    base = made(blobs())
    assert base.fingerprint == made(blobs()).fingerprint
    assert base.fingerprint != made(blobs(), labels=np.array([0, 1, 0])).fingerprint
    changed = blobs()
    changed[1, 7, 2] += 0.01
    assert base.fingerprint != made(changed).fingerprint


def with_nan():
    points = blobs()
    points[1, 5] = np.nan
    return points


@pytest.mark.parametrize(
    ("points", "changes", "says"),
    [
        (blobs().astype(np.float64), {}, "float64"),
        (blobs()[..., :2], {}, r"\(3, 300, 2\)"),
        (blobs()[:, :255], {}, "255 points is too small"),
        (blobs()[:0], {}, "no cloud"),
        (with_nan(), {}, r"Point 5 of cloud 1 is not finite: \[nan, nan, nan\]"),
        (np.full((1, 300, 3), 0.25, np.float32), {}, "All points of cloud 0 are the same"),
        (blobs(), {"labels": np.array([0, 2, 0])}, "Label 2"),
        (blobs(), {"labels": np.array([0, -2, 0])}, "Label -2"),
        (blobs(), {"labels": np.zeros(2, np.int64)}, r"\(2,\)"),
        (blobs(), {"ids": np.array([0, 1, 1])}, "twice"),
        (blobs(), {"names": ("x",)}, "1 names"),
        (blobs(), {"classes": ("a", "a")}, "different"),
        (blobs(), {"extra": {"e": np.zeros(2)}}, "'e'"),
    ],
)
def test_sets_that_do_not_fit_are_refused(points, changes, says):
    with pytest.raises(BadItems, match=says):
        made(points, **changes)


def test_normalising_moves_to_the_mean_and_scales_to_the_ball():
    points = normalised(np.stack([cloud(), 100 * cloud() + 7]))
    np.testing.assert_allclose(points.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(points, axis=2).max(1), 1, atol=1e-6)
    np.testing.assert_allclose(points[0], points[1], atol=1e-5)


def dot(x, y, z):
    """The picture of a single point."""
    return picture(np.array([[x, y, z]], np.float32))


def test_the_picture_looks_from_the_front_right_and_above():
    middle = dot(0, 0, 0)
    assert middle[31:33, 31:33].all()
    assert (middle > 0).sum() == 4
    up = np.argwhere(dot(0, 0, 0.8))
    assert up[:, 0].max() < 31  # above the centre
    assert np.argwhere(dot(0.8, 0, 0))[:, 1].min() > 32  # to the right of it
    # The nearest wins: the camera is in front (-y), so a point there is brighter than one behind.
    front, back = dot(0, -0.8, 0), dot(0, 0.8, 0)
    assert front.max() > back.max() >= 70


def test_a_near_point_hides_a_far_one():
    towards = np.array([np.sin(np.deg2rad(35)), -np.cos(np.deg2rad(35)), 0]) * np.cos(
        np.deg2rad(25)
    )
    towards[2] = np.sin(np.deg2rad(25))
    both = np.stack([-0.5 * towards, 0.5 * towards]).astype(np.float32)
    near = picture(both[1:])
    assert np.array_equal(picture(both), near)
    assert np.array_equal(picture(both[::-1]), near)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npy", npy),
        ("a.NPY", lambda points: npy(points.astype(np.float32))),
        ("a.xyz", text),
        ("a.csv", lambda points: b"x,y,z\n" + text(points, ",")),
        ("a.xyz", lambda points: b"# made up\n\n" + text(np.hstack([points, points]))),
        ("a.ply", ply),
        ("a.ply", lambda points: ply(points, order="zxy")),
        (
            "a.obj",
            lambda points: (
                b"o thing\n"
                + b"\n".join(b"v " + line for line in text(points).split(b"\n"))
                + b"\nvn 0 0 1\nf 1 2 3"
            ),
        ),
    ],
)
def test_every_format_gives_the_same_cloud(name, write):
    points = cloud(2048)
    found = read_clouds(write(points), name)
    assert found.shape == (1, 2048, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, normalised(points[None]), atol=1e-5)


def test_npy_may_hold_several_and_their_number_of_points_is_made_equal():
    several = read_clouds(npy(np.stack([cloud(seed=1), cloud(seed=2)])), "two.npy")
    assert several.shape == (2, 2048, 3)
    assert len(np.unique(several[0], axis=0)) == 300  # repeated, nothing invented
    large = np.unique(read_clouds(npy(cloud(5000)), "large.npy")[0], axis=0)
    assert len(large) == 2048


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"1 2 3", "a.txt is no file of points"),
        ("a.npy", b"\x93NUMPY nonsense", "damaged"),
        ("a.npy", b"", "damaged"),
        ("a.npy", npy(np.array([{"a": 1}], dtype=object)), "damaged|numbers"),
        ("a.npy", npy(np.array(["x"])), "numbers"),
        ("a.npy", npy(cloud()[:, :2]), r"\(300, 2\)"),
        ("a.npy", npy(np.empty((0, 3))), "no point"),
        ("a.npy", npy(cloud(255)), "255 points is too small"),
        ("a.npy", npy(np.where(cloud() > 8, np.nan, cloud())), "not finite"),
        ("a.npy", npy(np.full((300, 3), 1e300)), "not finite"),
        ("a.npy", npy(np.ones((300, 3))), "are the same"),
        ("a.xyz", b"", "no point"),
        ("a.xyz", b"x y z\n", "no point"),
        ("a.xyz", text(cloud()[:, :2]), "Point 0 has 2 columns"),
        ("a.csv", text(cloud(), ",") + b"\n1,2", "Point 300 has 2 columns"),
        ("a.xyz", text(cloud()) + b"\n1 2 fish", "fish"),
        ("a.xyz", text(cloud()) + b"\n1 2 nan", "not finite"),
        ("a.ply", b"solid", "PLY header"),
        ("a.ply", ply(cloud(), "ply\nformat binary_little_endian 1.0"), "binary"),
        ("a.ply", ply(cloud(), order="xy"), "no z"),
        ("a.ply", ply(cloud()).replace(b"vertex 300", b"vertex 900"), "promises 900"),
        ("a.ply", ply(cloud()).replace(b"element vertex 300", b"element face 3"), "vertex"),
        ("a.obj", b"f 1 2 3", "no point"),
        ("a.obj", b"v 1 2", "2 columns"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(name, data, says):
    with pytest.raises(BadCloud, match=says) as caught:
        read_clouds(data, f"folder/{name}")
    assert name in caught.value.message
    assert "folder" not in caught.value.message


def test_own_files_make_a_set_that_nobody_has_labelled():
    files = [("one.xyz", text(cloud())), ("two.npy", npy(np.stack([cloud(), cloud(seed=1)])))]
    held = own_clouds(files, ("a", "b"))
    assert held.names == ("one.xyz", "two.npy, cloud 0", "two.npy, cloud 1")
    assert held.labels.tolist() == [-1, -1, -1]
    assert held.classes == ("a", "b")
    with pytest.raises(BadCloud, match="no file"):
        own_clouds([], ("a",))
    with pytest.raises(BadCloud, match=r"bad\.npy: .*damaged"):
        own_clouds([*files, ("bad.npy", b"x")], ("a",))


def test_an_opened_set_lies_in_the_store_with_what_the_task_acts_on(tmp_path):
    store = ArrayStore(tmp_path, 10_000_000)
    own_sets.use(store)
    key = own_sets.put("points", [("one.xyz", text(cloud()))], store)
    held = datasets.load(key)
    assert held.inputs([0]).shape == (1, 2048, 3)
    assert held.images([0]).shape == (1, 64, 64)
    assert held.classes == datasets.load("furniture").classes
    np.testing.assert_allclose(held.inputs([0])[0, :300], normalised(cloud()[None])[0], atol=1e-5)
