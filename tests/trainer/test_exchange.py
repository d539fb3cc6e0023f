"""Two folders trade places at once; if they cannot, nothing has changed."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path

import pytest

from tests.trainer.examples import names_in
from trainer.exchange import exchange


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / f"was {folder.name}").write_text("")
    return one, other


def test_both_are_where_the_other_was(pair: tuple[Path, Path]) -> None:
    one, other = pair
    assert exchange(one, other)
    assert names_in(one) == ["was other"]
    assert names_in(other) == ["was one"]


def test_missing_folder_is_an_error(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        exchange(pair[0], tmp_path / "nothing")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, None])
def test_system_that_cannot_says_so(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    class Library:
        if number is not None:

            @staticmethod
            def renameat2(*arguments: object) -> int:
                assert number is not None
                ctypes.set_errno(number)
                return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Library)
    assert not exchange(*pair)
    assert names_in(pair[0]) == ["was one"]
