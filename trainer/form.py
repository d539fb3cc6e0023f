"""The form of a data set's images, to which its bundle brings other pictures."""

from __future__ import annotations

import numpy as np

from bundle.fit import Fitting
from bundle.params import Fit, Preprocess
from trainer.data import DataSet

# MNIST's own form (``bundle.fit``), and its size.
_FIT = Fit((20, 20), "mass")
_SHAPE = (28, 28, 1)

# So many images tell the form of all.
_LOOKED_AT = 1000

# 15 of MNIST's 60,000 images have another form. EMNIST and Fashion-MNIST have none that
# has it but by chance.
_SHARE = 0.99


def preprocess_of(data: DataSet) -> Preprocess:
    """Return the steps that bring any picture to the form of the training images.

    Digits that people draw and photograph are dark on white, off the centre, thick or
    thin, and a model of MNIST knows none of them.

    Args:
        data: the data set.

    Returns:
        ``polarity`` and ``fit`` if the images have MNIST's form; else no steps.
    """
    if data.image_shape != _SHAPE:
        return Preprocess()
    fitting = Fitting(_FIT, _SHAPE[:2])
    chosen = np.linspace(0, len(data.x_train) - 1, _LOOKED_AT).astype(int)
    kept = sum(fitting.keeps(data.x_train[int(number)][:, :, 0]) for number in chosen)
    if kept < _SHARE * len(chosen):
        return Preprocess()
    return Preprocess(polarity="auto", fit=_FIT)
