"""The distributions on the test set, counted by hand."""

from __future__ import annotations

import numpy as np

from trainer.report.reference import (
    CONFIDENCE_EDGES,
    confidence_distribution,
    input_distributions,
)


def test_confidences_are_counted_between_fixed_edges() -> None:
    # An edge belongs to the bin above it: 0.5 lies in the second bin, 0.9 in the sixth.
    found = confidence_distribution(np.array([0.2, 0.5, 0.55, 0.9, 0.9995, 1.0]))
    assert found.edges == CONFIDENCE_EDGES
    assert found.counts == (1, 2, 0, 0, 0, 1, 0, 0, 2)
    assert found.mean == (0.2 + 0.5 + 0.55 + 0.9 + 0.9995 + 1.0) / 6


def test_pixels_have_a_mean_a_spread_and_a_clipped_share() -> None:
    # Black, white, gray, and half black with half of 200.
    pictures = np.zeros((4, 2, 2, 1), np.uint8)
    pictures[1] = 255
    pictures[2] = 100
    pictures[3, 0] = 200
    found = input_distributions(pictures)
    assert found["mean"].mean == (0 + 255 + 100 + 100) / 4
    assert found["spread"].mean == (0 + 0 + 0 + 100) / 4
    assert found["clipped"].mean == (1 + 1 + 0 + 0.5) / 4
    for distribution in found.values():
        assert sum(distribution.counts) == 4
        assert len(distribution.counts) == len(distribution.edges) + 1


def test_the_bins_of_a_figure_hold_a_tenth_each() -> None:
    # The means of a hundred pictures are 0 to 99.
    pictures = np.repeat(np.arange(100, dtype=np.uint8), 4).reshape(100, 2, 2, 1)
    found = input_distributions(pictures)["mean"]
    assert found.counts == (10,) * 10
    assert list(found.edges) == sorted(found.edges)


def test_equal_pictures_need_one_bin() -> None:
    found = input_distributions(np.full((5, 2, 2, 3), 7, np.uint8))
    assert found["mean"].edges == ()
    assert found["mean"].counts == (5,)
    assert found["clipped"].mean == 0.0


def test_many_pictures_are_counted_in_parts() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3000, 3, 3, 1), np.uint8)
    found = input_distributions(pictures)["mean"]
    assert sum(found.counts) == 3000
    np.testing.assert_allclose(found.mean, pictures.mean())
