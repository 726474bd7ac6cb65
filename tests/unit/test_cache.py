"""Results on disk: keys, damage, budget, full disks."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import files
from backend.cache import ArrayStore, key_of, read_npz
from backend.errors import BadRequest, NotFound, StorageFull

KEY = key_of("test", 1)
MB = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path / "results", 10 * MB)


def test_key_names_everything_that_went_in() -> None:
    base = key_of("nero", 1, model="plain", angles=72)
    assert base == key_of("nero", 1, angles=72, model="plain")
    others = [
        key_of("nero", 2, model="plain", angles=72),
        key_of("gap", 1, model="plain", angles=72),
        key_of("nero", 1, model="rotated", angles=72),
        key_of("nero", 1, model="plain", angles=71),
        key_of("nero", 1, model="plain", angles=72, name="x", version=3),
    ]
    assert len({base, *others}) == 6
    assert len(base) == 64


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x", {1, 2}, np.float32(1)])
def test_key_refuses_what_has_no_one_name(value: object) -> None:
    with pytest.raises(BadRequest, match="cannot be named"):
        key_of("nero", 1, value=value)  # type: ignore[arg-type]


def test_arrays_come_back_equal_and_read_only(store: ArrayStore) -> None:
    arrays = {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "i": np.array(7),
        "empty": np.zeros((0, 3), np.uint8),
        "text": np.array(["zero", "one"]),
        "flag": np.array([True, False]),
    }
    store.put(KEY, arrays)
    held = store.get(KEY)
    assert held is not None
    assert list(held) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(held[name], array)
        assert held[name].dtype == array.dtype
        assert not held[name].flags.writeable
    assert not list(store.root.rglob(f"*{files.PART}"))


def test_absent_is_none(store: ArrayStore) -> None:
    assert store.get(KEY) is None
    assert not store.has(KEY)


@pytest.mark.parametrize(
    "key",
    [
        *("", ".", "..", "../x", "..%2fx", "..\\x", "/etc/passwd", "a\0b", "x" * 5000),
        *(KEY.upper(), KEY + "\n", KEY[:-1], KEY[:-1] + "٣"),
    ],
)
def test_only_keys_reach_the_disk(store: ArrayStore, key: str) -> None:
    for ask in (store.path, store.get, store.has):
        with pytest.raises(NotFound):
            ask(key)


def test_object_arrays_are_refused(store: ArrayStore) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        store.put(KEY, {"x": np.array([{}])})
    assert list(store.root.rglob("*.*")) == []


def test_pickles_inside_a_file_are_never_read(store: ArrayStore) -> None:
    path = store.path(KEY)
    path.parent.mkdir()
    np.savez(path, allow_pickle=True, x=np.array([{"a": 1}], dtype=object))
    assert store.get(KEY) is None


def test_every_flipped_byte_is_a_miss_or_harmless(store: ArrayStore) -> None:
    truth = {"x": np.arange(20, dtype=np.float32), "y": np.array([3], np.uint8)}
    store.put(KEY, truth)
    path = store.path(KEY)
    whole = path.read_bytes()
    misses = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        held = store.get(KEY)
        if held is None:
            misses += 1
            assert not path.exists()
        else:  # only dates and attributes may differ; never a number
            assert all(np.array_equal(held[name], truth[name]) for name in held)
            assert set(held) == set(truth)
    assert misses > 0.7 * len(whole)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_cut_file_is_a_miss_and_can_be_made_again(store: ArrayStore, keep: float) -> None:
    arrays = {"x": np.arange(5000)}
    store.put(KEY, arrays)
    path = store.path(KEY)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert store.get(KEY) is None
    store.put(KEY, arrays)
    assert store.get(KEY) is not None


def npy_header(shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue()


@pytest.mark.parametrize(
    ("member", "compression"),
    [
        (npy_header((10**12,)) + b"0000", zipfile.ZIP_STORED),  # claims 4 TB
        (npy_header((2**62, 4)), zipfile.ZIP_STORED),  # wraps to 0 in 64 bits
        (npy_header((-1,)), zipfile.ZIP_STORED),
        (npy_header((1,)), zipfile.ZIP_STORED),  # no data
        (npy_header((25 * MB,)) + bytes(100 * MB), zipfile.ZIP_DEFLATED),  # a bomb
        (b"not npy", zipfile.ZIP_STORED),
        (b"", zipfile.ZIP_STORED),
    ],
)
def test_lying_files_are_misses(store: ArrayStore, member: bytes, compression: int) -> None:
    path = store.path(KEY)
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", member)
    assert store.get(KEY) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    store = ArrayStore(tmp_path_factory.mktemp("any"), MB)
    store.path(KEY).parent.mkdir()
    store.path(KEY).write_bytes(b"PK\x03\x04" + data)
    assert store.get(KEY) is None


def test_least_recently_used_go_first(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path, 3 * MB)
    keys = [key_of("test", n) for n in range(4)]
    for age, key in enumerate(keys[:3]):
        store.put(key, {"x": np.zeros(900_000, np.uint8)})
        os.utime(store.path(key), (1000 + age, 1000 + age))
    assert store.get(keys[0]) is not None  # used: now the youngest
    store.put(keys[3], {"x": np.zeros(900_000, np.uint8)})
    assert [store.has(key) for key in keys] == [True, False, True, True]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npz")) <= 3 * MB


def test_result_over_the_budget_is_refused(store: ArrayStore) -> None:
    with pytest.raises(StorageFull, match="11 MB and the budget for results is 10 MB"):
        store.put(KEY, {"x": np.zeros(11 * MB, np.uint8)})


def test_bundled_results_are_second_and_never_removed(tmp_path: Path) -> None:
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    np.savez(bundled / f"{KEY}.npz", x=np.array([1]))
    store = ArrayStore(tmp_path / "own", MB, [tmp_path / "not there", bundled])
    assert store.has(KEY)
    held = store.get(KEY)
    assert held is not None
    assert held["x"][0] == 1
    store.put(KEY, {"x": np.array([2])})
    held = store.get(KEY)
    assert held is not None
    assert held["x"][0] == 2
    store.path(KEY).unlink()
    (bundled / f"{KEY}.npz").write_bytes(b"damaged")
    assert store.get(KEY) is None
    assert (bundled / f"{KEY}.npz").exists()


def test_folder_is_private(store: ArrayStore) -> None:
    store.put(KEY, {"x": np.zeros(1)})
    assert store.root.stat().st_mode & 0o777 == 0o700
    assert store.path(KEY).parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_refused_write_is_a_sentence_and_leaves_nothing(
    store: ArrayStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), "/secret/path")

    monkeypatch.setattr("backend.cache.np.savez", refuse)
    with pytest.raises(StorageFull) as told:
        store.put(KEY, {"x": np.zeros(1)})
    assert os.strerror(code).lower() in told.value.message
    assert "/secret" not in str(told.value)
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow mounts")
    try:
        store = ArrayStore(disk / "results", 10 * MB)
        with pytest.raises(StorageFull, match="no space left on device"):
            store.put(KEY, {"x": np.ones(MB)})
        assert store.get(KEY) is None
        assert [path for path in disk.rglob("*") if path.is_file()] == []
        store.put(KEY, {"x": np.ones(10)})
        assert store.has(KEY)
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


def test_concurrent_writers_and_readers_see_whole_files(store: ArrayStore) -> None:
    failures: list[str] = []

    def write() -> None:
        for _ in range(20):
            store.put(KEY, {"x": np.full(20_000, 5.0)})

    def read() -> None:
        for _ in range(60):
            held = store.get(KEY)
            if held is not None and not (held["x"] == 5).all():
                failures.append("torn")

    store.put(KEY, {"x": np.full(20_000, 5.0)})
    threads = [threading.Thread(target=work) for work in (write, write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.get(KEY) is not None


def test_read_npz_reads_what_numpy_wrote(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), b=np.eye(2))
    held = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(held["b"], np.eye(2))
    assert held["a"].tolist() == [0, 1, 2]


def test_mapped_arrays_are_those_of_the_file_and_a_damaged_one_is_absent(store: ArrayStore) -> None:
    arrays = {
        "wide": np.arange(12, dtype=np.float32).reshape(3, 4),
        "turned": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "none": np.zeros((0, 2), np.float32),
        "one": np.array(0.5),
        "text": np.array(["a", "bc"]),
    }
    assert store.mapped(KEY) is None
    store.put(KEY, arrays)
    held = store.mapped(KEY)
    assert held is not None
    assert all((held[name] == array).all() for name, array in arrays.items())
    assert not held["wide"].flags.writeable
    store.remove(KEY)
    store.remove(KEY)  # nothing to do
    assert (held["wide"] == arrays["wide"]).all()  # what maps a file keeps its pages
    assert store.mapped(KEY) is None
    store.put(KEY, arrays)
    path = store.path(KEY)
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    assert ArrayStore(store.root, MB).mapped(KEY) is None
