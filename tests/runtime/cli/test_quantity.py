"""Times, sizes and rates are short, and keep three digits."""

import pytest

from runtime.cli.quantity import duration, plain, rate, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0ms"),
        (0.00000878, "0.01ms"),
        (0.000251, "0.251ms"),
        (0.00042, "0.42ms"),
        (0.9994, "999ms"),
        (0.9999, "1s"),
        (59.9, "59.9s"),
        (61, "1m"),
        (7500, "2h 5m"),
        (200_000, "2d 7h"),
    ],
)
def test_a_time_is_written_in_short(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (999_900, "1MB"), (1.5e9, "1.5GB"), (2e15, "2e+03TB")],
)
def test_a_size_is_written_in_short(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.25, "0.25"), (99.96, "100"), (12_345.6, "12346")]
)
def test_a_rate_is_written_in_short(number, text):
    assert rate(number) == text


def test_a_number_has_no_needless_zeros():
    assert (plain(2), plain(0.5), plain(None)) == ("2", "0.5", "")
