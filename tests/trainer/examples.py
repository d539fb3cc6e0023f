"""Run the command line as tests need it, and write pictures of one colour."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from trainer.cli import main
from trainer.data import DataSet
from trainer.learner import Best, Learner


def run_trainer(*arguments: object) -> Result:
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], prog_name="trainer"
    )


def assert_refused(result: Result, *words: str) -> None:
    """Check for exit code 2 and one sentence that says what is wrong."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    sentence = result.stderr.strip()
    assert sentence.startswith("Error: ")
    assert "\n" not in sentence
    assert "Traceback" not in result.output
    for word in words:
        assert word in sentence


def write_picture(
    path: Path, value: int, size: tuple[int, int] = (12, 12), mode: str = "L"
) -> None:
    """Write a picture of one colour; ``size`` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def blank_images(shape: tuple[int, int, int], classes: int) -> DataSet:
    """Return black images, one of each class, to train and to test on."""
    images = np.zeros((classes, *shape), np.uint8)
    numbers = np.arange(classes)
    labels = tuple(f"class {number}" for number in range(classes))
    return DataSet(images, numbers, images, numbers, labels)


class Variable:
    """Has what a variable of Keras has."""

    def __init__(self, *values: float) -> None:
        self.value = np.array(values, np.float32)
        self.shape = self.value.shape

    def numpy(self) -> Any:
        return self.value

    def assign(self, value: Any) -> None:
        self.value = value


def a_learner(*variables: Variable, **changes: Any) -> Learner:
    values: dict[str, Any] = {
        "variables": list(variables),
        "epoch": 2,
        "history": {"val_loss": [0.5, 0.25]},
        "seconds": 1.5,
        "best": Best(0.25, 2, [np.array([7.0])]),
        "ended": False,
    }
    return cast(Learner, SimpleNamespace(**{**values, **changes}))
