"""The perceptron for tables takes raw rows, in Keras, and after a reload."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer.report.table_examples import a_table
from trainer.tables.answers import answers
from trainer.tables.column import Column
from trainer.tables.dataset import TableSet

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("tensorflow")]

NUMBERS = (
    Column("pt", "pt", is_text=False, middle=30, spread=10, may_lack=False),
    Column("run", "run", is_text=False, categories=(3.0, 7.0), middle=5, spread=2),
)


def a_model(data: TableSet) -> Any:
    from trainer.tables.network import build_mlp

    return build_mlp(data)


def prepared(model: Any, row: list[list[float]]) -> np.ndarray:
    """Return what the first dense layer takes."""
    import keras

    first = next(n for n in model.layers if n.name.startswith("dense"))
    part = keras.Model(model.input, first.input)
    return np.asarray(part(np.array(row, np.float32)))


def test_numbers_are_scaled_and_brought_near_and_categories_are_one_hot() -> None:
    data = replace(a_table(), columns=NUMBERS)
    model = a_model(data)
    found = prepared(model, [[30, 3], [130, 7], [np.nan, 5], [1e6, np.nan]])
    wanted = [
        [0, 1, 0],
        [np.arcsinh(10), 0, 1],
        # The median stands for a missing number; 5 is no known category.
        [0, 0, 0],
        [np.arcsinh((1e6 - 30) / 10), 0, 0],
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_column_that_may_lack_says_that_it_does() -> None:
    lacking = replace(NUMBERS[0], may_lack=True)
    data = replace(a_table(), columns=(lacking, NUMBERS[1]))
    found = prepared(a_model(data), [[30, 5], [np.nan, 5]])
    np.testing.assert_allclose(found, [[0, 0, 0, 0], [0, 1, 0, 0]], atol=1e-6)


def test_tiny_and_huge_numbers_are_scaled_as_others() -> None:
    lifetime = replace(NUMBERS[0], middle=2e-12, spread=1e-12)
    luminosity = replace(NUMBERS[0], name="l", middle=1e34, spread=1e30)
    data = replace(a_table(), columns=(lifetime, luminosity))
    found = prepared(a_model(data), [[5e-12, 1.0002e34]])
    np.testing.assert_allclose(found, [[np.arcsinh(3), np.arcsinh(2)]], rtol=1e-2)


def test_no_column_has_the_name_of_a_layer() -> None:
    import keras

    from trainer.tables.column import input_names

    lacking = replace(NUMBERS[0], may_lack=True)
    text = Column("t", "t", is_text=True, categories=("x", "y"))
    for task, columns in (
        ("classes", (lacking, *NUMBERS, text)),
        ("regression", (lacking, NUMBERS[1])),
    ):
        # The names of layers count up in a process.
        keras.utils.clear_session()
        columns = tuple(
            replace(column, input_name=f"c{n}") for n, column in enumerate(columns)
        )
        model = a_model(replace(a_table(task), columns=columns))
        inputs = {tensor.name for tensor in model.inputs}
        names = {operation.name for operation in model.operations} - inputs
        assert not names & set(input_names(sorted(names)))


def test_unknown_texts_count_for_nothing_and_known_ones_differ() -> None:
    data = a_table(text=True)
    model = a_model(data)
    embedding = next(n for n in model.layers if n.name.startswith("embedding"))
    assert not np.any(embedding.get_weights()[0])
    embedding.set_weights([np.array([[0, 0], [1, 0], [0, 1]], np.float32)])
    words = np.array([["x"], ["y"], ["?"], [""]], object)
    found = answers(model, {"a": np.zeros((4, 1), np.float32), "b": words})
    assert found.shape == (4, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found[2], found[3])
    assert len(np.unique(found[:3, 0])) == 3


def test_a_regression_answers_in_the_units_of_its_label() -> None:
    data = a_table("regression")
    model = a_model(data)
    last = [layer for layer in model.layers if layer.name.startswith("dense")][-1]
    last.set_weights([np.zeros((128, 1)), np.array([2.0])])
    wanted = data.y_train.mean() + 2 * data.y_train.std()
    found = answers(model, data.x_test)
    np.testing.assert_allclose(found, np.full((30, 1), wanted), rtol=1e-5)


@pytest.mark.parametrize("text", [False, True])
def test_a_saved_model_needs_no_code_of_this_project(
    text: bool, tmp_path: Path
) -> None:
    import keras

    data = a_table(text=text)
    model = a_model(data)
    path = tmp_path / "m.keras"
    model.save(path)
    config = zipfile.ZipFile(path).read("config.json")
    assert b"trainer" not in config.replace(b"trainable", b"")
    loaded = keras.models.load_model(path, safe_mode=True)
    np.testing.assert_array_equal(
        answers(loaded, data.x_test), answers(model, data.x_test)
    )


def test_a_label_in_small_units_is_learned_and_the_bundle_tells_of_the_table(
    tmp_path: Path,
) -> None:
    from bundle.folder import open_bundle
    from trainer.saved_model import write_bundle
    from trainer.settings import Settings
    from trainer.train import train

    data = a_table("regression", text=True)
    least = replace(data.columns[0], least=-1.0, greatest=1.0)
    unit = np.float32(1e-6)
    data = replace(
        data,
        columns=(least, data.columns[1]),
        x_train={name: np.tile(x, (40, 1)) for name, x in data.x_train.items()},
        y_train=np.tile(data.y_train, 40) * unit,
        y_test=data.y_test * unit,
        w_test=None,
    )
    training = train(data, Settings(15, 20, 3, network="mlp"))
    assert training.test_loss < 0.3
    assert training.test_error is not None
    assert training.test_error < 3e-6
    write_bundle(tmp_path, "tiny", training, data, "t.csv", command=None)
    bundle = open_bundle(tmp_path)
    assert bundle.params.features == ("a", "b")
    assert bundle.params.ranges == {"a": (-1.0, 1.0)}
    assert bundle.params.img_channels == 0
    assert bundle.labels == ()
    rows = bundle.read_rows()
    assert rows is not None
    assert rows.inputs["b"].ravel().tolist() == data.x_test["b"].ravel().tolist()
    np.testing.assert_array_equal(rows.inputs["a"], data.x_test["a"])
    assert bundle.read_sample() is None


def test_a_start_takes_the_same_columns_in_the_same_order(tmp_path: Path) -> None:
    from trainer.errors import ArchitectureError
    from trainer.networks.start import Start, build_start

    data = a_table()
    model = a_model(data)
    model.save(tmp_path / "model.keras")
    start = Start("old:1", tmp_path / "model.keras", data.labels, "mlp", ("a", "b"))
    again = build_start(start, data)
    np.testing.assert_array_equal(
        answers(again, data.x_test), answers(model, data.x_test)
    )
    turned = replace(data, columns=data.columns[::-1])
    with pytest.raises(ArchitectureError) as caught:
        build_start(start, turned)
    assert str(caught.value) == (
        "old:1 takes the columns a, b, and the table has b, a; give --features a,b"
    )
