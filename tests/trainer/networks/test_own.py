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


@pytest.mark.tensorflow
def test_a_model_of_a_class_of_its_own_is_built(
    tensorflow: None, tmp_path: Path
) -> None:
    text = (
        "import keras\n"
        "class Own(keras.Model):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__()\n"
        "        self.end = keras.layers.Dense(classes, activation='softmax')\n"
        "    def call(self, x):\n"
        "        return self.end(keras.ops.reshape(x, (-1, 120)))\n"
        "def build_model(input_shape, classes):\n"
        "    return Own(classes)\n"
    )
    assert build_network(DATA, written(tmp_path, text)).count_params() == 121 * 3


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
        ("def build_model(): pass", r"line 0 with TypeError \(build_model\(\) takes 0"),
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
