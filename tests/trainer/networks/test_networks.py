"""Every network takes raw pixels of its smallest size, and gives scores."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.examples import blank_images
from trainer.errors import DataError
from trainer.networks import NETWORKS
from trainer.networks.sizes import check_image_shape

IMAGE_NETWORKS = ("cnn", "mobilenet", "resnet-small", "vgg-small")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        # The sums are done by hand: weights of a convolution are its area times the
        # channels before and after it, and a normalization has four numbers a channel.
        (
            "vgg-small",
            (28, 28, 1),
            9 * (32 + 32 * 64 + 64 * 64 + 64 * 128)
            + 4 * (32 + 64 + 64 + 128)
            + 7 * 7 * 128 * 10
            + 10,
        ),
        (
            "resnet-small",
            (32, 32, 3),
            9 * 3 * 32
            + 9 * (4 * 32 * 32 + 32 * 64 + 3 * 64 * 64 + 64 * 128 + 3 * 128 * 128)
            + (32 * 64 + 64 * 128)
            + 4 * (5 * 32 + 5 * 64 + 5 * 128)
            + 128 * 10
            + 10,
        ),
    ],
)
def test_parameters_are_those_of_the_layers(
    tensorflow: None, name: str, shape: tuple[int, int, int], parameters: int
) -> None:
    model = NETWORKS[name](blank_images(shape, 10), 1.0)
    assert model.count_params() == parameters


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_smallest_images_give_scores_that_sum_to_one(
    tensorflow: None, name: str
) -> None:
    side = {"cnn": 10, "mobilenet": 32}.get(name, 4)
    check_image_shape((side, side, 3), name)
    model = NETWORKS[name](blank_images((side, side, 3), 3), 0.25)
    noise = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    scores = np.asarray(model(noise))
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.tensorflow
def test_width_is_a_factor_of_the_channels(tensorflow: None) -> None:
    data = blank_images((12, 12, 1), 2)
    for name in ("cnn", "vgg-small", "resnet-small"):
        narrow, wide = (NETWORKS[name](data, width) for width in (0.5, 1.0))
        # Four times fewer weights lie between two layers of half the channels.
        assert 2 * narrow.count_params() < wide.count_params()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cnn", (9, 28, 1)),
        ("cnn", (28, 9, 1)),
        ("mobilenet", (31, 40, 3)),
        ("resnet-small", (3, 3, 3)),
    ],
)
def test_too_small_image_is_refused(name: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match=f"the network {name} needs"):
        check_image_shape(shape, name)


def test_refusal_names_the_networks_that_take_the_images() -> None:
    with pytest.raises(DataError, match=r"--arch \(resnet-small, vgg-small\)"):
        check_image_shape((9, 9, 1), "cnn")
