"""rows.npz: a few test rows of a table."""

from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.sample import read_rows


def test_numbers_and_texts_are_read(tmp_path: Path) -> None:
    pt = np.array([[1.5], [np.nan]], np.float32)
    np.savez_compressed(tmp_path / "rows.npz", pt=pt, channel=np.array([["mu"], [""]]))
    sample = read_rows(tmp_path)
    assert sample is not None
    np.testing.assert_array_equal(sample.inputs["pt"], pt)
    assert sample.inputs["channel"].dtype == object
    assert sample.inputs["channel"].tolist() == [["mu"], [""]]


def test_a_bundle_may_have_none(tmp_path: Path) -> None:
    assert read_rows(tmp_path) is None


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"a": np.float32(1)},
        {"a": np.zeros((0, 2))},
        {"a": np.zeros(2), "b": np.zeros(3)},
        {"a": np.zeros(2, complex)},
    ],
)
def test_other_arrays_are_refused(arrays: dict[str, object], tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"must hold arrays \(N, …\) of numbers"):
        read_rows(tmp_path)


def test_objects_and_damaged_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", a=np.array([{}], object))
    with pytest.raises(BundleError, match="is not a sample of rows"):
        read_rows(tmp_path)
    (tmp_path / "rows.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BundleError, match="is not a sample of rows"):
        read_rows(tmp_path)


def test_a_file_that_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "rows.npz", a=np.zeros((100, 100)))
    with pytest.raises(BundleError, match="is not a sample of rows"):
        read_rows(tmp_path, max_bytes=1000)
