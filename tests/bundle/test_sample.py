from __future__ import annotations

import io
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleError
from bundle.folder import Bundle, open_bundle
from bundle.sample import read_sample

CASES = Path(__file__).parents[1] / "bundles"

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)  # (N, H, W, C)
LABELS = np.array([1, 0], dtype=np.uint8)


def with_sample(folder: Path, data: bytes) -> Bundle:
    (folder / "params.json").write_text('{"name": "m"}')
    (folder / "model.onnx").write_bytes(b"")
    (folder / "sample.npz").write_bytes(data)
    return open_bundle(folder)


def npz(compress: bool = False, **arrays: object) -> bytes:
    written = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(written, **arrays)  # type: ignore[arg-type]
    return written.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return written.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_sample_reads_as_it_was_written(tmp_path: Path, compress: bool) -> None:
    data = npz(compress, images=IMAGES, labels=LABELS)
    sample = with_sample(tmp_path, data).read_sample()
    assert sample is not None
    assert sample.images.dtype == np.uint8
    assert sample.images.tolist() == IMAGES.tolist()
    assert sample.labels.dtype == np.int64
    assert sample.labels.tolist() == [1, 0]


def test_bundle_without_a_sample_has_none() -> None:
    assert open_bundle(CASES / "whole").read_sample() is None


SAMPLE = npz(images=IMAGES, labels=LABELS)
HEADER_OF_A_TERABYTE = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,1,1,1)}"


def npy_of_shape(count: int) -> bytes:
    header = (HEADER_OF_A_TERABYTE % count).ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def flagged(data: bytes, flag: int) -> bytes:
    """Set a general purpose flag on every member (APPNOTE 4.4.4)."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            changed[place + offset] |= flag
            place = data.find(signature, place + 4)
    return bytes(changed)


BAD_SAMPLES = {
    "empty": b"",
    "text": b"images",
    "npy-not-npz": npy(IMAGES),
    "pickled-array": npz(images=np.array([{}, {}], dtype=object), labels=LABELS),
    "pickle": b"\x80\x04K\x01.",
    "no-labels": npz(images=IMAGES),
    "no-images": npz(labels=LABELS),
    "float-images": npz(images=IMAGES.astype(np.float32), labels=LABELS),
    "no-channel-axis": npz(images=IMAGES[..., 0], labels=LABELS),
    "one-label-short": npz(images=IMAGES, labels=LABELS[:1]),
    "one-hot-labels": npz(images=IMAGES, labels=np.eye(2, dtype=np.int64)),
    "float-labels": npz(images=IMAGES, labels=LABELS.astype(np.float64)),
    "member-is-no-array": zip_of({"images.npy": b"hello", "labels.npy": npy(LABELS)}),
    "member-is-empty": zip_of({"images.npy": b"", "labels.npy": npy(LABELS)}),
    "terabytes": zip_of({"images.npy": npy_of_shape(10**15), "labels.npy": b""}),
    "beyond-64-bits": zip_of({"images.npy": npy_of_shape(10**30), "labels.npy": b""}),
    "encrypted": flagged(SAMPLE, 0x01),
}


@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_bad_sample_is_refused(tmp_path: Path, case: str) -> None:
    bundle = with_sample(tmp_path, BAD_SAMPLES[case])
    with pytest.raises(BundleError, match=r"^sample\.npz "):
        bundle.read_sample()


def test_pickle_in_a_sample_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    bundle = with_sample(tmp_path, npz(images=np.array([Trap()]), labels=LABELS))
    with pytest.raises(BundleError):
        bundle.read_sample()
    assert not (tmp_path / "sprung").exists()


def test_sample_that_unpacks_beyond_the_limit_is_refused_unread(
    tmp_path: Path,
) -> None:
    images = np.zeros((1000, 1, 1, 1), np.uint8)
    data = npz(True, images=images, labels=np.zeros(1000, np.uint8))
    # The file holds two .npy, each with a header of 128 bytes and 1000 bytes of
    # content.
    bundle = with_sample(tmp_path, data)
    assert read_sample(bundle.path, max_bytes=2256) is not None
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        read_sample(bundle.path, max_bytes=2255)


@pytest.mark.parametrize("part", range(1, 10))
def test_truncated_sample_is_refused(tmp_path: Path, part: int) -> None:
    bundle = with_sample(tmp_path, SAMPLE[: len(SAMPLE) * part // 10])
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        bundle.read_sample()


@pytest.mark.parametrize("compress", [False, True])
@given(data=st.data())
def test_damaged_sample_is_refused_or_read(
    tmp_path: Path, compress: bool, data: st.DataObject
) -> None:
    damaged = bytearray(npz(compress, images=IMAGES, labels=LABELS))
    for place in data.draw(
        st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)
    ):
        damaged[place] ^= data.draw(st.integers(1, 255))
    bundle = with_sample(tmp_path, bytes(damaged))
    try:
        sample = bundle.read_sample()
    except BundleError:
        return
    assert sample is not None
    assert len(sample.images) == len(sample.labels)


def test_deflate_error_in_a_sample_is_refused(tmp_path: Path) -> None:
    whole = npz(
        True, images=np.zeros((50, 9, 9, 1), np.uint8), labels=np.zeros(50, int)
    )
    start = whole.index(b"images.npy") + len(b"images.npy")
    # 0xff follows the local header: it begins a deflate block of the reserved type 3.
    extra = int.from_bytes(whole[28:30], "little")
    start += extra
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(b"\xff" * 8)
    bundle = with_sample(tmp_path, whole[:start] + b"\xff" * 8 + whole[start + 8 :])
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        bundle.read_sample()


@pytest.mark.parametrize("claimed", [1 << 26, 1 << 33])
def test_array_that_claims_more_than_is_there_is_refused(
    tmp_path: Path, claimed: int
) -> None:
    """The array is refused before any memory is asked for."""
    data = zip_of({"images.npy": npy_of_shape(claimed), "labels.npy": npy(LABELS)})
    bundle = with_sample(tmp_path, data)
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
            bundle.read_sample()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < claimed


def test_packing_that_asks_for_memory_is_refused(tmp_path: Path) -> None:
    """LZMA's dictionary may ask for four gigabytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images.npy", npy(IMAGES))
        archive.writestr("labels.npy", npy(LABELS))
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        with_sample(tmp_path, written.getvalue()).read_sample()


def test_array_in_the_order_of_fortran_is_read_in_its_own(tmp_path: Path) -> None:
    data = npz(images=np.asfortranarray(IMAGES), labels=LABELS)
    sample = with_sample(tmp_path, data).read_sample()
    assert sample is not None
    assert sample.images.tolist() == IMAGES.tolist()
