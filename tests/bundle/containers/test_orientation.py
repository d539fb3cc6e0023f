from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.containers.orientation import orientation_of
from tests.pictures import orientation, tiff


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("value", range(1, 9))
def test_the_tag_is_read_in_both_orders(order: str, prefix: bytes, value: int) -> None:
    assert (
        orientation_of(prefix + tiff(orientation(value, order), order=order)) == value
    )


def test_the_tag_is_found_among_others_and_anywhere() -> None:
    others = [(tag, 2, 9, b"camera 7\0") for tag in (0x010E, 0x010F, 0x0131)]
    assert orientation_of(tiff(*others, orientation(6), start=200)) == 6


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_out_of_range_is_upright(value: int) -> None:
    assert orientation_of(tiff(orientation(value))) == 1


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        *[
            (2, 2, b"6\0"),
            (5, 1, struct.pack("<II", 6, 1)),
            (7, 1, b"\6"),
            (99, 1, b"\6"),
        ],
        *[(3, 0, b"\6\0"), (3, 2, b"\6\0\6\0"), (3, 0xFFFFFFFF, b"\6\0")],
        *[(4, 1, struct.pack("<I", 6 << 16)), (9, 1, struct.pack("<i", -6))],
    ],
)
def test_another_type_or_count_is_upright(kind: int, count: int, value: bytes) -> None:
    assert orientation_of(tiff((0x0112, kind, count, value))) == 1


@pytest.mark.parametrize(("kind", "value"), [(1, b"\6"), (4, b"\6\0\0\0")])
def test_whole_numbers_of_other_widths_are_taken(kind: int, value: bytes) -> None:
    assert orientation_of(tiff((0x0112, kind, 1, value))) == 6


@pytest.mark.parametrize(
    "block",
    [
        *[b"", b"II", b"II*\0", b"II*\0\x08\0\0\0", b"II*\0\x08\0\0\0\xff\xff"],
        *[b"II*\0\xff\xff\xff\xff\1\0", b"II+\0\x08\0\0\0\1\0", b"no TIFF at all"],
        b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0",  # ends before its value
    ],
)
def test_a_damaged_block_is_upright(block: bytes) -> None:
    assert orientation_of(block) == 1


@given(st.binary(max_size=200), st.booleans())
def test_no_block_at_all_is_an_error(block: bytes, has_head: bool) -> None:
    assert 1 <= orientation_of(b"MM\0*\0\0\0\x08" * has_head + block) <= 8
