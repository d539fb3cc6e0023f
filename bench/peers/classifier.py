"""The model that each peer's app loads: an ONNX session with one thread."""

import io
import os

import numpy as np
import onnxruntime
from PIL import Image


class Classifier:
    """The model of the file that $BENCH_MODEL names."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
        )
        (model_input,) = self._session.get_inputs()
        self._name = model_input.name
        _, height, width, channels = model_input.shape
        self._size = (width, height)
        self._mode = "L" if channels == 1 else "RGB"
        self.shape = (height, width, channels)

    def decode(self, data):
        """Decode one image file to pixels, ``(1, H, W, C)`` float32, 0..255."""
        image = Image.open(io.BytesIO(data)).convert(self._mode)
        if image.size != self._size:
            image = image.resize(self._size, Image.Resampling.BILINEAR)
        return np.asarray(image, np.float32).reshape(1, *self.shape)

    def decode_all(self, files):
        """Decode several image files to pixels, ``(N, H, W, C)`` float32, 0..255."""
        return np.concatenate([self.decode(data) for data in files])

    def predict(self, pixels):
        """Run pixels, ``(N, H, W, C)``, and give scores, ``(N, classes)`` float32."""
        pixels = np.asarray(pixels, np.float32).reshape(-1, *self.shape)
        (scores,) = self._session.run(None, {self._name: pixels})
        return scores
