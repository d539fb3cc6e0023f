"""The smallest images that each network takes."""

from __future__ import annotations

from trainer.errors import DataError

# Two convolutions and two poolings of `cnn` need 10 pixels: 10 -> 8 -> 4 -> 2 -> 1. The
# other two halve the size twice. MobileNet halves it five times, and Keras refuses less
# than 32 pixels.
_MIN_SIZES = {"cnn": 10, "mobilenet": 32, "resnet-small": 4, "vgg-small": 4}


def check_table_network(network: str | None) -> None:
    """Check that a network takes rows of a table.

    Args:
        network: the network's name or file; None leaves the choice to the recipe.

    Raises:
        DataError: the network takes images.
    """
    if network in _MIN_SIZES:
        raise DataError(
            f"the network {network} takes images; a table needs mlp, or"
            " FILE.py:FUNCTION of your own"
        )


def check_image_shape(shape: tuple[int, int, int], network: str) -> None:
    """Check that images are large enough for a network, without TensorFlow.

    Args:
        shape: ``(H, W, C)`` of one image.
        network: the network's name; a network of the user's own is not checked.

    Raises:
        DataError: the images are too small.
    """
    if network == "mlp":
        raise DataError(
            "the network mlp takes tables; images need another one with --arch"
            f" ({', '.join(_MIN_SIZES)})"
        )
    height, width, _ = shape
    least = _MIN_SIZES.get(network, 1)
    if min(height, width) >= least:
        return
    others = [name for name, size in _MIN_SIZES.items() if size <= min(height, width)]
    advice = f", or another network with --arch ({', '.join(others)})" if others else ""
    raise DataError(
        f"the images are {height} x {width} pixels and the network {network} needs"
        f" {least} x {least} or more; give larger ones{advice}"
    )
