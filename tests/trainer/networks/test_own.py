"""A network of the user's own is built from its file, and checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import blank_images
from trainer.errors import ArchitectureError
from trainer.networks.build import build_network, check_network

DATA = blank_images((12, 10, 1), 3)
GOOD = """
import keras
from neighbour import UNITS

def build_model(input_shape, classes):
    return keras.Sequential([
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(UNITS, activation="relu"),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""


def written(folder: Path, text: str) -> str:
    (folder / "nets.py").write_text(text)
    return f"{folder}/nets.py:build_model"


@pytest.mark.tensorflow
def test_the_function_gets_the_shape_and_the_classes(
    tensorflow: None, tmp_path: Path
) -> None:
    (tmp_path / "neighbour.py").write_text("UNITS = 5")
    model = build_network(DATA, written(tmp_path, GOOD))
    # 120 pixels and an offset for each of 5 units, and these and an offset for each of
    # 3 classes.
    assert model.count_params() == 121 * 5 + 6 * 3


@pytest.mark.tensorflow
def test_the_scaling_may_be_left_to_the_data(tensorflow: None, tmp_path: Path) -> None:
    """White images make logits so large that only a softmax's scores sum to 1."""
    images = np.full((3, 12, 10, 1), 255, np.uint8)
    data = dataclasses.replace(DATA, x_train=images)
    (tmp_path / "neighbour.py").write_text("UNITS = 5")
    text = GOOD.replace(', activation="softmax"', "")
    with pytest.raises(ArchitectureError, match="do not sum to 1; .*softmax"):
        build_network(data, written(tmp_path, text))


OWN_CLASS = """
import keras
class Own(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.end = keras.layers.Dense(classes, activation="softmax")
    def call(self, x):
        return self.end(keras.ops.reshape(x, (-1, 120)))
def build_model(input_shape, classes):
    return Own(classes)
"""
OWN_LAYER = """
import keras
class Own(keras.layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def call(self, x):
        return self.inner(x)
def build_model(input_shape, classes):
    end = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.layers.Flatten(), Own(lambda x: x), end])
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OWN_CLASS, "a model of a class of its own, .*; return keras.Sequential or"),
        (OWN_LAYER, "has a layer that Keras cannot save; .*get_config"),
    ],
)
def test_a_model_that_could_not_be_saved_is_refused_before_the_training(
    tensorflow: None, tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ArchitectureError, match=told):
        build_network(DATA, written(tmp_path, text))


def test_the_line_is_told_of_a_file_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "\nimport nowhere_at_all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchitectureError, match="^nets.py failed in line 2 with"):
        build_network(DATA, "nets.py:build_model")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return None", "build_model returned None, and must return a Keras model"),
        ("return 7", "returned an object of int"),
        ("1 / 0", r"nets.py failed in line 3 with ZeroDivisionError \(division by"),
        ("raise SystemExit", "nets.py failed in line 3 with SystemExit; mend"),
        (
            "return keras.Sequential([keras.layers.Flatten(),"
            " keras.layers.Dense(2, activation='softmax')])",
            r"gives outputs of the shape \(2,\), and the data need \(3,\); use the"
            " argument classes",
        ),
        (
            "return keras.Sequential([keras.Input((28, 28, 1)),"
            " keras.layers.Flatten(), keras.layers.Dense(3, activation='softmax')])",
            r"takes inputs of the shape \(28, 28, 1\), and the data have \(12, 10, 1\)",
        ),
        (
            "x = keras.Input((12, 10, 1)); y = keras.layers.Flatten()(x);"
            " return keras.Model(x, [y, y])",
            "has 1 inputs and 2 outputs, and must have one of each",
        ),
        ("return keras.layers.Dense(3)", "an object of Dense"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    tensorflow: None, tmp_path: Path, body: str, told: str
) -> None:
    text = f"import keras\ndef build_model(input_shape, classes):\n    {body}\n"
    with pytest.raises(ArchitectureError, match=told):
        build_network(DATA, written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "nets.py has no function build_model; check --arch"),
        ("build_model = 3", "has no function build_model"),
        ("def build_model(:", "nets.py failed in line 1 with SyntaxError"),
        ("import nowhere_at_all", "line 1 with ModuleNotFoundError .*nowhere_at_all"),
        (
            "\nx = y",
            r"line 2 with NameError \(name 'y' is not defined\); mend the file",
        ),
        (
            "def build_model(): pass",
            r"nets.py failed with TypeError \(build_model\(\) takes 0",
        ),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        build_network(DATA, written(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet", "there is no network resnet; --arch takes cnn, .*FILE.py:FUNCTION"),
        ("nets.py", "names no function; .* nets.py:build_model"),
        ("nets.py:", "names no function"),
        ("nets.py:a b", "names no function"),
        ("nowhere.py:build", "there is no file nowhere.py; check --arch"),
    ],
)
def test_a_name_of_nothing_is_refused(name: str, told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        check_network(name)
