from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path

import pytest

from bundle.archive import unpack
from bundle.errors import ArchiveError, TooLarge
from bundle.upload import Limits
from tests.bundle.making import bundle_tar, member, read_files, tar_of
from tests.bundle.unpacking import FILES, MIB, PLAIN, refused, unpacked


class Drops:
    """A stream that gives a few bytes for each read, as sockets may."""

    def __init__(self, data: bytes, size: int) -> None:
        self._stream = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(min(size, self._size))


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("size", [1, 2, 7, 511])
def test_stream_of_few_bytes_a_read_unpacks(
    tmp_path: Path, gz: bool, size: int
) -> None:
    unpack(Drops(bundle_tar(gz=gz), size), tmp_path, gzipped=gz)
    assert read_files(tmp_path) == FILES


def test_total_is_the_whole_tar_unpacked(tmp_path: Path) -> None:
    tar = bundle_tar()
    for name, limit in (("enough", len(tar)), ("less", len(tar) - 1)):
        (tmp_path / name).mkdir()
        for_it = Limits(total_bytes=limit)
        data = gzip.compress(tar)
        if limit == len(tar):
            assert unpacked(tmp_path / name, data, limits=for_it) == FILES
        else:
            sentence = refused(tmp_path / name, data, limits=for_it)
            assert f"unpacks to more than {limit} bytes" in sentence


@pytest.mark.parametrize("place", ["m/zeros", "m/._zeros"])
def test_bomb_is_stopped_before_more_than_the_limit_is_written(
    tmp_path: Path, place: str
) -> None:
    # The member says that it has 1 MiB, and 64 MiB of zeros follow its end.
    tar = tar_of([member(place, bytes(MIB))]) + bytes(64 * MIB)
    bomb = gzip.compress(tar)
    assert len(bomb) < 100_000
    stream = io.BytesIO(bomb)
    (tmp_path / "target").mkdir()
    with pytest.raises(TooLarge, match="more than 2097152 bytes"):
        unpack(stream, tmp_path / "target", limits=Limits(total_bytes=2 * MIB))
    written = sum(map(len, read_files(tmp_path).values()))
    assert written <= 2 * MIB


def test_bomb_in_one_file_is_refused_before_it_is_written(tmp_path: Path) -> None:
    bomb = tar_of([member("m/zeros", bytes(8 * MIB))], gz=True)
    refused(tmp_path, bomb, limits=Limits(total_bytes=2 * MIB))
    assert sum(map(len, read_files(tmp_path).values())) <= 2 * MIB


def test_bomb_is_not_read_to_its_end(tmp_path: Path) -> None:
    # The archive is not compressed, so the place in the stream tells how much was read.
    stream = io.BytesIO(tar_of([member("m/zeros", bytes(8 * MIB))]))
    with pytest.raises(TooLarge):
        unpack(stream, tmp_path, limits=Limits(total_bytes=MIB))
    assert stream.tell() <= 2 * MIB


def test_empty_body_is_refused(tmp_path: Path) -> None:
    assert "the upload is empty" in refused(tmp_path, b"")


def test_gzip_of_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    assert "not a whole tar" in refused(tmp_path, gzip.compress(b"\xff"), True)


@pytest.mark.parametrize("content", [b"", bytes(10240)])
def test_gzip_of_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, gzip.compress(content))


def test_gzip_that_is_said_and_is_not_is_refused(tmp_path: Path) -> None:
    assert "its Content-Encoding says gzip" in refused(
        tmp_path, bundle_tar(), gzipped=True
    )


def test_gzip_that_is_not_said_is_taken(tmp_path: Path) -> None:
    assert unpacked(tmp_path, bundle_tar(gz=True), gzipped=False) == FILES


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_garbage_after_gzip_is_refused(tmp_path: Path, size: int) -> None:
    data = bundle_tar(gz=True)
    for n, more in enumerate((b"\0", b"garbage", data)):
        (tmp_path / str(n)).mkdir()
        with pytest.raises(ArchiveError, match="goes on after its gzip data ends"):
            unpack(Drops(data + more, size), tmp_path / str(n))


def test_wrong_checksum_of_gzip_is_refused(tmp_path: Path) -> None:
    data = bytearray(bundle_tar(gz=True))
    data[-5] ^= 1  # RFC 1952 puts the CRC32 and the size last, four bytes each.
    data[-8] ^= 1
    assert "not whole gzip data" in refused(tmp_path, bytes(data))


def test_gzip_in_gzip_is_taken_off_once(tmp_path: Path) -> None:
    assert "not a whole tar" in refused(tmp_path, gzip.compress(bundle_tar(gz=True)))


GZIPPED = bundle_tar(gz=True)


@pytest.mark.parametrize("length", range(1, len(GZIPPED), 9))
def test_truncated_gzip_is_refused(tmp_path: Path, length: int) -> None:
    refused(tmp_path, GZIPPED[:length], gzipped=length > 1)


def test_zlib_stream_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, zlib.compress(PLAIN), gzipped=True)


def _zeros(count: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        member = tarfile.TarInfo("m/zeros")
        member.size = count
        tar.addfile(member, io.BytesIO(bytes(count)))
    return target.getvalue()


@pytest.mark.parametrize(("ratio_from", "is_taken"), [(2_000_000, True), (0, False)])
def test_the_ratio_counts_beyond_what_is_small(
    tmp_path: Path, ratio_from: int, is_taken: bool
) -> None:
    """Deflate makes zeros a thousand times smaller."""
    limits = Limits(ratio=200, ratio_from=ratio_from)
    source = io.BytesIO(_zeros(1_000_000))
    if is_taken:
        unpack(source, tmp_path, limits=limits)
        assert (tmp_path / "zeros").stat().st_size == 1_000_000
    else:
        with pytest.raises(TooLarge, match="200 times its size"):
            unpack(source, tmp_path, limits=limits)


def test_what_comes_is_bounded_though_it_unpacks_to_nothing(tmp_path: Path) -> None:
    """The stream has empty blocks of deflate, of five bytes each."""
    endless = b"\x1f\x8b\x08" + bytes(7) + b"\x00\x00\x00\xff\xff" * 10_000
    with pytest.raises(TooLarge, match="larger than 40000 bytes"):
        unpack(io.BytesIO(endless), tmp_path, limits=Limits(total_bytes=40_000))
