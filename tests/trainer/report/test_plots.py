"""A reader of the plots is not misled."""

import numpy as np
import pytest

from trainer.report import plots


@pytest.mark.parametrize("epochs", [1, 2, 3, 40])
def test_epochs_are_whole_numbers(monkeypatch, epochs):
    drawn = []
    monkeypatch.setattr(plots, "png_of", lambda figure: drawn.append(figure) or b"")
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    history = {name: [0.5] * epochs for name in names}
    plots.learning_curve({"history": history}, np.zeros((0, 2, 2, 1), np.uint8))
    for axes in drawn[0].axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks
        assert all(tick == round(tick) for tick in ticks)
