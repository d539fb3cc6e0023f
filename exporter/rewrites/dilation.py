"""``Dilation2D``: greyscale dilation, and erosion, which is its mirror image.

tf2onnx and ONNX do not have it. The answer is the greatest number of the shifted
picture plus the filter.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.patches import padded, shifted
from exporter.rewrites.registry import lowering


@lowering("Dilation2D")
def lower_dilation(
    operation: tf.Operation, images: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    """Dilate ``(N, H, W, C)`` by a ``(h, w, C)`` kernel of a known size."""
    height, width, _ = kernel.shape
    strides = operation.get_attr("strides")[1:3]
    rates = operation.get_attr("rates")[1:3]
    if operation.get_attr("padding") == b"SAME":
        # A pixel outside of the picture is never the greatest.
        images = padded(images, (height, width), strides, rates, images.dtype.min)
    answer = None
    for row in range(height):
        for column in range(width):
            place = row * rates[0], column * rates[1]
            reach = (height - 1) * rates[0], (width - 1) * rates[1]
            here = shifted(images, place, reach, strides) + kernel[row, column]
            answer = here if answer is None else tf.maximum(answer, here)
    return answer
