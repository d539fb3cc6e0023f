"""``trainer run`` refuses a wrong table before the training, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import assert_refused, run_trainer
from tests.trainer.tables.examples import events, write_csv, write_npz


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label", "x"], ["has no column 'x', which --label names"]),
        ([], ["name the column to predict with --label"]),
        (["--label", "signal", "--arch", "cnn"], ["takes images; a table needs mlp"]),
        (["--label", "signal", "--features", "pt,x"], ["'x', which --features names"]),
        (["--label", "signal", "--weight", "channel"], ["the weights in 'channel'"]),
        (["--label", "channel", "--task", "regression"], ["are texts; --task"]),
        (["--label", "signal", "--also", "no.csv"], ["no file or folder no.csv"]),
    ],
)
def test_a_wrong_table_or_option_is_one_sentence(
    options: list[str], words: list[str], tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "t.csv", events())
    result = run_trainer("run", "--fin", path, "--fout", tmp_path / "out", *options)
    assert_refused(result, *words)
    assert not (tmp_path / "out").exists()


def test_names_with_a_gap_are_refused(tmp_path: Path) -> None:
    result = run_trainer("run", "--fin", tmp_path, "--features", "a,,b")
    assert result.exit_code == 2
    assert "'a,,b' must be names of columns with commas between them" in result.stderr


def test_options_of_tables_are_refused_for_images(
    few_npz: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run_trainer("run", "--fin", few_npz, "--fout", out, "--weight", "w")
    assert_refused(result, "few.npz holds images", "--task are for tables")
    result = run_trainer("run", "--fin", few_npz, "--fout", out, "--arch", "mlp")
    assert_refused(result, "the network mlp takes tables")


def test_the_command_of_the_report_has_the_options_of_the_table() -> None:
    from trainer.order import Order
    from trainer.recipes import Choices
    from trainer.settings import Settings

    order = Order(
        fin=Path("/data/t.root:events"),
        fout=None,
        name="higgs",
        choices=Choices(seed=4),
        label="is signal",
        weight="w",
        features=("pt", "eta"),
        categorical=("run",),
        task="classes",
    )
    command = order.command(Settings(epochs=10, batch_size=128, seed=4))
    assert command.startswith(
        "trainer run --fin t.root:events --label 'is signal' --weight w"
        " --features pt,eta --categorical run --task classes --model higgs"
    )


def test_a_npz_of_rows_is_a_table_and_one_of_images_is_not(
    few_npz: Path, tmp_path: Path
) -> None:
    from trainer.tables.opening import is_table

    assert is_table(write_npz(tmp_path / "t.npz", events()))
    assert not is_table(few_npz)
    np.savez(tmp_path / "flat.npz", x=np.zeros((4, 3)), y=np.zeros(4))
    assert is_table(tmp_path / "flat.npz")
    (tmp_path / "list.csv").write_text("path,label\na.png,cat\n")
    assert not is_table(tmp_path / "list.csv")
