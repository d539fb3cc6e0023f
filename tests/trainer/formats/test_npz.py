"""Keras's archive of four arrays."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data import load_dataset
from trainer.errors import DataError
from trainer.formats import npz


def test_truncated_archive_is_damaged(few_npz: Path, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(few_npz.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"mnist\.npz is a damaged \.npz file"):
        load_dataset(path)


def test_flipped_byte_is_found(few_npz: Path, tmp_path: Path) -> None:
    content = bytearray(few_npz.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        load_dataset(path)


def test_missing_array_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=np.zeros((2, 12, 12)), y_train=np.arange(2))
    with pytest.raises(DataError, match="lacks one of the arrays x_train"):
        load_dataset(path)


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    objects = np.array([print, print], dtype=object)
    np.savez(path, x_train=objects, y_train=objects, x_test=objects, y_test=objects)
    with pytest.raises(DataError, match="something else than whole arrays of numbers"):
        load_dataset(path)


def test_bomb_is_refused_before_it_unpacks(
    few_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to more than 1000 bytes"):
        load_dataset(few_npz)


HEADERS = {
    "terabytes": "{'descr': '|u1', 'fortran_order': False, 'shape': (10**13,)}",
    "more than memory": "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2**60)}",
    "below zero": "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
    "beyond 64 bits": "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 9E20)}",
    "digits": f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1{'0' * 25},)}}",
    "truths": "{'descr': '|u1', 'fortran_order': False, 'shape': (True,)}",
    "texts": "{'descr': '|u1', 'fortran_order': False, 'shape': ('a',)}",
    "no dtype": "{'descr': 5, 'fortran_order': False, 'shape': (2,)}",
    "brackets": "(" * 9000,
    "nothing": "",
}


def npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(100)


def write(path: Path, member: bytes, compression: int, ending: str = ".npy") -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name + ending, member)


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    write(path, npy(HEADERS[name]), zipfile.ZIP_DEFLATED)
    with pytest.raises(
        DataError, match=r"mnist\.npz (holds something else|is a damaged)"
    ):
        load_dataset(path)


@pytest.mark.parametrize("ending", ["", ".npy"])
def test_members_that_are_no_arrays_are_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    write(path, b"hello", zipfile.ZIP_STORED, ending)
    with pytest.raises(DataError, match="something else than whole arrays"):
        load_dataset(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(
    compression: int, tmp_path: Path
) -> None:
    path = tmp_path / "mnist.npz"
    write(path, bytes(1000), compression)
    with pytest.raises(DataError, match=r"make it with numpy\.savez"):
        load_dataset(path)


def tiny() -> bytes:
    written = io.BytesIO()
    images, labels = np.zeros((2, 4), np.uint8), np.arange(2)
    np.savez(written, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return written.getvalue()


TINY = tiny()


@given(
    places=st.lists(
        st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    )
)
def test_damage_is_a_data_error_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]]
) -> None:
    content = bytearray(TINY)
    for place, value in places:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        load_dataset(path)
