"""The synthetic events of the yardstick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.higgs import LABEL, WEIGHT, events, write, yardstick
from trainer.tables.dataset import load_table
from trainer.tables.wishes import Wishes

TABLE = events(3000, 1)


def test_the_same_seed_gives_the_same_events() -> None:
    same, other = events(3000, 1), events(3000, 2)
    np.testing.assert_array_equal(TABLE["m_jj"], same["m_jj"])
    assert not np.array_equal(TABLE["met"], other["met"])


def test_the_signal_has_the_mass_of_the_resonance() -> None:
    mass = TABLE["m_jj"][TABLE[LABEL] == "signal"]
    assert np.nanmedian(mass) == pytest.approx(125, abs=3)
    assert 0.02 < np.isnan(mass).mean() < 0.2
    assert 0.01 < (TABLE[WEIGHT] < 0).mean() < 0.1


@pytest.mark.parametrize("name", ["h.csv", "h.parquet", "h.root"])
def test_each_format_is_read_as_it_was_made(name: str, tmp_path: Path) -> None:
    few = {column: values[:200] for column, values in TABLE.items()}
    write(tmp_path / name, few)
    data = load_table(tmp_path / name, Wishes(LABEL, WEIGHT), 4)
    assert data.labels == ("background", "signal")
    assert len(data.columns) == 15
    mass = np.concatenate([data.x_train["m_jj"], data.x_test["m_jj"]]).ravel()
    np.testing.assert_allclose(np.sort(mass), np.sort(few["m_jj"]), rtol=1e-6)


# scikit-learn asks a program for the number of cores.
@pytest.mark.slow
def test_boosted_trees_part_them(tmp_path: Path) -> None:
    write(tmp_path / "h.parquet", TABLE)
    data = load_table(tmp_path / "h.parquet", Wishes(LABEL, WEIGHT), 4)
    assert 0.85 < yardstick(data) < 0.99


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"must end in \.csv, \.parquet or \.root"):
        write(tmp_path / "h.txt", TABLE)
