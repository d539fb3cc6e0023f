"""Unpack archives, for tests."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bundle.archive import unpack
from bundle.errors import ArchiveError, TooLarge
from bundle.upload import Limits
from tests.bundle.making import bundle_files, bundle_tar, read_files

FILES = bundle_files()
MIB = 1 << 20


def unpacked(
    folder: Path, data: bytes, gzipped: bool = False, limits: Limits | None = None
) -> dict[str, bytes]:
    target = folder / "target"
    target.mkdir()
    unpack(io.BytesIO(data), target, gzipped=gzipped, limits=limits or Limits())
    return read_files(target)


def refused(
    folder: Path, data: bytes, gzipped: bool = False, limits: Limits | None = None
) -> str:
    """Return the sentence that refuses an archive; no file may lie outside."""
    with pytest.raises((ArchiveError, TooLarge)) as caught:
        unpacked(folder, data, gzipped, limits)
    assert [path.name for path in folder.iterdir()] == ["target"]
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def raw_header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """Return a ustar header (POSIX.1-1988): name, mode, uid, gid, size, mtime, …"""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:136] = b"0000644\0" + b"0000000\0" * 2 + size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size: int) -> bytes:
    return b"%011o\0" % size


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    blocks = -(-len(records) // 512)
    return raw_header(b"h", octal(len(records)), kind) + records.ljust(
        512 * blocks, b"\0"
    )


PLAIN = bundle_tar()
