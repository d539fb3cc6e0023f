"""The index beside sums done by hand; each bin counts half an item more."""

import math

import pytest

from runtime.watching.psi import psi


@pytest.mark.parametrize(
    ("expected", "counted", "index"),
    [
        # Shares of 1/2 and 1/2 beside 1/4 and 3/4: ln(2) / 4 + ln(3/2) / 4.
        ((3, 3), (2, 7), math.log(3) / 4),
        # Shares of 0.5 and 0.5 beside 0.05 and 0.95; no bin is empty.
        ((4, 4), (0, 9), 0.45 * math.log(19)),
        # Three bins: 0.2, 0.3, 0.5 beside 0.5, 0.3, 0.2.
        ((1, 2, 4), (1, 0, 0), None),
    ],
)
def test_it_is_the_sum_over_the_bins(expected, counted, index):
    if index is None:
        # 1.5, 2.5, 4.5 of 8.5; 1.5, 0.5, 0.5 of 2.5.
        pairs = [(1.5 / 8.5, 0.6), (2.5 / 8.5, 0.2), (4.5 / 8.5, 0.2)]
        index = sum((q - p) * math.log(q / p) for p, q in pairs)
    assert psi(expected, counted) == pytest.approx(index)


def test_equal_counts_lie_at_zero():
    assert psi((5, 0, 7), (5, 0, 7)) == 0


def test_it_is_the_same_both_ways():
    assert psi((9, 0), (4, 5)) == pytest.approx(psi((4, 5), (9, 0)))
