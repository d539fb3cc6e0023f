"""The reference is read with care, because the bundle may be a stranger's."""

import numpy as np
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.watching.reference import MOST_BINS, read_reference
from tests.examples import write_bundle
from tests.runtime.watching.examples import images, reference_of, write_metrics

ONE = {"edges": [1.0], "counts": [3, 4], "mean": 1.0}
GOOD = {
    "predicted": [3, 4, 0],
    "confidence": {"edges": [0.5, 0.9], "counts": [1, 2, 4], "mean": 0.8},
    "input": {"mean": ONE, "spread": ONE, "clipped": ONE},
}


@pytest.fixture
def read(tmp_path):
    """Return a function that reads the reference of a bundle with this content."""

    def read(reference, labels=("zero", "one", "two"), **metrics):
        folder = write_bundle(tmp_path / "linear", labels=labels)
        write_metrics(folder, reference, **metrics)
        return read_reference(open_bundle(folder))

    return read


def test_it_has_the_counts_and_the_edges_of_each_figure(read):
    found = read(GOOD)
    assert found.counts == {
        "predicted": (3, 4, 0),
        "confidence": (1, 2, 4),
        "mean": (3, 4),
        "spread": (3, 4),
        "clipped": (3, 4),
    }
    assert found.edges["confidence"].tolist() == [0.5, 0.9]
    assert found.groups.tolist() == [0, 1, 2]


def test_what_the_trainer_writes_is_read(read):
    found = read(reference_of(images(0)))
    assert {sum(counts) for counts in found.counts.values()} == {1000}


def test_the_reference_of_a_table_has_no_pixels(read):
    found = read({**GOOD, "input": {}})
    assert found.counts == {"predicted": (3, 4, 0), "confidence": (1, 2, 4)}


@pytest.mark.parametrize(
    "content", [{"schema_version": 2}, {"reference": None}], ids=["newer", "none"]
)
def test_other_metrics_have_no_reference(read, content):
    assert read(content.pop("reference", GOOD), **content) is None


def test_a_bundle_without_a_report_has_none(tmp_path):
    assert read_reference(open_bundle(write_bundle(tmp_path / "linear"))) is None


def test_many_classes_share_bins_of_about_one_size(read):
    # The hundredth class has as many images as all others.
    classes = [1] * 99 + [99]
    labels = tuple(f"class {n}" for n in range(100))
    found = read({**GOOD, "predicted": classes}, labels)
    assert len(found.counts["predicted"]) <= MOST_BINS
    assert sum(found.counts["predicted"]) == 198
    assert found.counts["predicted"][0] == 10
    assert (np.diff(found.groups) >= 0).all()
    assert set(np.diff(found.groups)) == {0, 1}


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        "text",
        {"predicted": [1, 2]},
        {"predicted": []},
        {"predicted": [1, 2, -3]},
        {"predicted": [1, 2, 3.5]},
        {"predicted": [1, 2, True]},
        {"predicted": [1, 2, 1 << 60]},
        {"predicted": {"0": 1}},
        {"confidence": None},
        {"confidence": {"edges": [0.5], "counts": [1, 2, 3]}},
        {"confidence": {"edges": [0.9, 0.5], "counts": [1, 2, 3]}},
        {"confidence": {"edges": [float("nan")], "counts": [1, 2]}},
        {"confidence": {"edges": ["0.5"], "counts": [1, 2]}},
        {"confidence": {"edges": [10**400], "counts": [1, 2]}},
        {"confidence": {"edges": [*range(20)], "counts": [1] * 21}},
        {"input": {"mean": ONE, "spread": ONE}},
        {"input": [1]},
    ],
)
def test_anything_else_is_an_error_that_names_the_file(read, wrong):
    content = {**GOOD, **wrong} if isinstance(wrong, dict) else wrong
    with pytest.raises(BundleError, match=r"^report/metrics\.json: 'reference' cannot"):
        read(content)
