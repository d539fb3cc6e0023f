"""The recipes ``quick`` and ``best`` decide where the user gave no option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.networks.start import Start
from trainer.samples import Samples, input_shape_of
from trainer.settings import Precision, Recipe, Settings

# Images up to this size are small, as those of MNIST and CIFAR are.
_SMALL = 64
# One epoch of `best` takes 41 s on MNIST with two cores that know bfloat16. So many
# epochs, and the choice of the augmentation before them, end within 14 minutes.
_BEST_EPOCHS = 12
# A row of a table takes a thousandth of the time of an image, so even `quick` goes on
# until a table of some thousand rows is learned. 50,000 rows take half a minute.
_QUICK_TABLE_EPOCHS = 10
_BEST_TABLE_EPOCHS = 20
_BATCH_SIZE = 128


@dataclass(frozen=True)
class Choices:
    """The options of ``trainer run`` that a recipe completes; None is not given.

    Attributes:
        seed: see ``Settings``.
        recipe: the recipe.
        arch: the network's name, or ``module.py:function``.
        epochs: see ``Settings``.
        batch_size: see ``Settings``.
        precision: see ``Settings``.
        patience: see ``Settings``.
        start: see ``Settings``; the bundle's own network is taken then.
    """

    seed: int
    recipe: Recipe = "quick"
    arch: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    precision: Precision | None = None
    patience: int | None = None
    start: str | None = None


def network_of(choices: Choices, data: Samples) -> str:
    """Choose the network for a data set, without TensorFlow."""
    if choices.arch is not None:
        return choices.arch
    if isinstance(data.x_train, Mapping):
        return "mlp"
    if choices.recipe == "quick":
        return "cnn"
    height, width, channels = input_shape_of(data)
    if max(height, width) > _SMALL and min(height, width) >= 32:
        return "mobilenet"
    return "resnet-small" if channels == 3 else "vgg-small"


def epochs_of(choices: Choices, data: Samples) -> int:
    """Choose the number of epochs for a data set, without TensorFlow."""
    if choices.epochs is not None:
        return choices.epochs
    is_best = choices.recipe == "best"
    if isinstance(data.x_train, Mapping):
        return _BEST_TABLE_EPOCHS if is_best else _QUICK_TABLE_EPOCHS
    return _BEST_EPOCHS if is_best else 1


def batch_size_of(choices: Choices) -> int:
    """Choose the number of images or rows in one step."""
    return choices.batch_size or _BATCH_SIZE


def settings_of(
    choices: Choices,
    data: Samples,
    *,
    start: Start | None = None,
    progress_bar: bool = False,
) -> Settings:
    """Complete the options by their recipe.

    TensorFlow is asked for a GPU, so it must be imported.

    Args:
        choices: the options that were given.
        data: the data set.
        start: the bundle of ``choices.start``.
        progress_bar: see ``Settings``.

    Returns:
        The settings. The augmentation of ``best`` is not chosen yet, because the choice
        needs a look at the images.
    """
    from trainer.precision import machine_precision

    is_table = isinstance(data.x_train, Mapping)
    is_best = choices.recipe == "best"
    best_rate = 0.002 if is_table else 0.003
    precision = choices.precision
    if precision is None:
        # Columns of a table may have values that 16 bits cannot tell apart.
        precision = machine_precision() if is_best and not is_table else "float32"
    return Settings(
        epochs=epochs_of(choices, data),
        batch_size=batch_size_of(choices),
        seed=choices.seed,
        network=start.network if start else network_of(choices, data),
        recipe=choices.recipe,
        # The higher rate would undo what the bundle's weights know.
        learning_rate=best_rate if is_best and start is None else 0.001,
        augmentation=None if is_best and not is_table else "none",
        precision=precision,
        patience=choices.patience,
        start=choices.start,
        progress_bar=progress_bar,
    )
