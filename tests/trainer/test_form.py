from __future__ import annotations

from dataclasses import replace

import numpy as np

from bundle.params import Fit, Preprocess
from trainer.data import DataSet
from trainer.form import preprocess_of


def test_mnist_gets_the_steps_for_drawn_and_photographed_digits(mnist: DataSet) -> None:
    assert preprocess_of(mnist) == Preprocess(polarity="auto", fit=Fit((20, 20)))


def test_few_images_of_mnist_get_them_too(few_data: DataSet) -> None:
    assert preprocess_of(few_data).fit == Fit((20, 20))


def test_images_that_fill_their_canvas_get_no_steps(few_data: DataSet) -> None:
    # Fashion-MNIST has the size of MNIST, and its pictures fill it.
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)
    assert preprocess_of(replace(few_data, x_train=noise)) == Preprocess()


def test_inverted_images_get_no_steps(few_data: DataSet) -> None:
    # Such a model knows dark digits on white alone.
    inverted = replace(few_data, x_train=255 - few_data.x_train[:])
    assert preprocess_of(inverted) == Preprocess()


def test_images_of_another_size_or_in_colour_get_no_steps(few_data: DataSet) -> None:
    larger = np.pad(few_data.x_train[:], ((0, 0), (2, 2), (2, 2), (0, 0)))
    coloured = np.repeat(few_data.x_train[:], 3, axis=3)
    for images in (larger, coloured):
        assert preprocess_of(replace(few_data, x_train=images)) == Preprocess()
