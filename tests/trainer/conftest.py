"""Share small data sets, and a TensorFlow that is imported once and quietly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.data import EMBEDDED, DataSet, load_dataset
from trainer.formats import Arrays
from trainer.settings import Settings
from trainer.train import Training


@pytest.fixture(scope="session")
def mnist() -> DataSet:
    return load_dataset(None)


@pytest.fixture(scope="session")
def mnist_arrays() -> Arrays:
    """Return the arrays of the embedded archive as numpy itself reads them."""
    with np.load(EMBEDDED) as archive:
        return Arrays(*(archive[n] for n in ("x_train", "y_train", "x_test", "y_test")))


@pytest.fixture(scope="session")
def few(mnist_arrays: Arrays) -> Arrays:
    """Return 500 images to train on and 100 to test on, of all ten digits."""
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
    """Return TensorFlow. Version 2.21 warns at its import of what it does itself."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trainer.engine import import_engine

        import_engine(verbose=False)


@pytest.fixture(scope="session")
def training(few_data: DataSet, tensorflow: None) -> Training:
    """Train one epoch on the few images; the accuracy means nothing."""
    from trainer.train import train

    return train(few_data, Settings(epochs=1, batch_size=50, seed=7))


@pytest.fixture(scope="session")
def bundle_folder(
    training: Training, few_data: DataSet, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    from trainer.saved_model import write_bundle

    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(
        folder,
        "digits",
        training,
        few_data,
        "few.npz",
        h5="digits.h5",
        command="trainer run <x>",
    )
    return folder
