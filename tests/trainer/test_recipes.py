"""A recipe completes the options that were not given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trainer.examples import blank_images
from trainer.recipes import Choices, network_of, settings_of

DIGITS = blank_images((28, 28, 1), 2)


@pytest.mark.parametrize(
    ("recipe", "shape", "network"),
    [
        ("quick", (28, 28, 1), "cnn"),
        ("quick", (200, 200, 3), "cnn"),
        ("best", (28, 28, 1), "vgg-small"),
        ("best", (64, 64, 1), "vgg-small"),
        ("best", (32, 32, 3), "resnet-small"),
        ("best", (65, 64, 3), "mobilenet"),
        # MobileNet takes no side below 32 pixels.
        ("best", (20, 100, 3), "resnet-small"),
    ],
)
def test_the_network_is_chosen_by_the_images(
    recipe: Any, shape: tuple[int, int, int], network: str
) -> None:
    data = blank_images(shape, 2)
    assert network_of(Choices(1, recipe), data) == network
    assert network_of(Choices(1, recipe, arch="nets.py:f"), data) == "nets.py:f"


def test_quick_is_one_epoch_in_float32() -> None:
    settings = settings_of(Choices(4), DIGITS)
    assert (settings.epochs, settings.batch_size, settings.seed) == (1, 128, 4)
    assert (settings.network, settings.precision) == ("cnn", "float32")
    assert (settings.augmentation, settings.patience) == ("none", None)


def test_options_go_before_the_recipe() -> None:
    given = Choices(4, "best", "cnn", 7, 32, "float32", 3)
    settings = settings_of(given, DIGITS)
    assert (settings.network, settings.epochs, settings.batch_size) == ("cnn", 7, 32)
    assert (settings.precision, settings.patience) == ("float32", 3)
    # It is chosen by a look at the images.
    assert settings.augmentation is None


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_best_takes_the_precision_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr("trainer.precision.machine_precision", lambda: precision)
    assert settings_of(Choices(4, "best"), DIGITS).precision == precision
