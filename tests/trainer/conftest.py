"""Small data sets, and TensorFlow imported once and quietly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from trainer.cli import main
from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.formats import Arrays


@pytest.fixture(scope="session")
def mnist() -> DataSet:
    return load_dataset(None)


@pytest.fixture(scope="session")
def mnist_arrays() -> Arrays:
    """The embedded archive as numpy itself reads it."""
    with np.load(EMBEDDED) as archive:
        return Arrays(*(archive[n] for n in ("x_train", "y_train", "x_test", "y_test")))


@pytest.fixture(scope="session")
def few(mnist_arrays: Arrays) -> Arrays:
    """500 images to train on and 100 to test on, of all ten digits."""
    return Arrays(
        mnist_arrays.x_train[:500],
        mnist_arrays.y_train[:500],
        mnist_arrays.x_test[:100],
        mnist_arrays.y_test[:100],
    )


@pytest.fixture(scope="session")
def few_npz(few: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(
        path,
        x_train=few.x_train,
        y_train=few.y_train,
        x_test=few.x_test,
        y_test=few.y_test,
    )
    return path


@pytest.fixture(scope="session")
def few_data(few_npz: Path) -> DataSet:
    return load_dataset(few_npz)


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """Imported; TensorFlow 2.21 warns at its import of what it does itself."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trainer.engine import import_engine

        import_engine(verbose=False)


def run_trainer(*arguments: object) -> Result:
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], prog_name="trainer"
    )


def assert_refused(result: Result, *words: str) -> None:
    """Exit code 2, and one sentence that says what it should."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    sentence = result.stderr.strip()
    assert sentence.startswith("trainer: ")
    assert "\n" not in sentence
    assert "Traceback" not in result.output
    for word in words:
        assert word in sentence


def write_picture(
    path: Path, value: int, size: tuple[int, int] = (12, 12), mode: str = "L"
) -> None:
    """A picture of one colour; ``size`` is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
