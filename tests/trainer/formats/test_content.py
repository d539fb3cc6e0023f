"""Files are read whole, also gzipped ones."""

import gzip

import pytest

from trainer.errors import DataError
from trainer.formats.content import read_content


def test_a_file_is_read_as_it_is_or_ungzipped(tmp_path):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(b"numbers")
    packed.write_bytes(gzip.compress(b"numbers"))
    assert read_content(plain) == read_content(packed) == b"numbers"


@pytest.mark.parametrize("place", [2, 10, -8])
def test_damage_in_gzip_data_is_told(tmp_path, place):
    """The method, the begin of the data, and their checksum (RFC 1952)."""
    content = bytearray(gzip.compress(b"numbers" * 9))
    content[place] ^= 0xFF
    path = tmp_path / "t10k.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="t10k.gz is not whole gzip data; fetch it"):
        read_content(path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read_content(tmp_path / "nothing")
