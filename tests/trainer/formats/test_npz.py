"""Keras's archive of four arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
