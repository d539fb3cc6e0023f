"""A model of Triton's Python backend, which runs each batch that the server makes."""

import numpy as np
import triton_python_backend_utils as pb_utils
from classifier import Classifier


class TritonPythonModel:
    """Takes image files as ``image``, or arrays as ``pixels``."""

    def initialize(self, args):
        """Load the model."""
        self._classifier = Classifier()

    def execute(self, requests):
        """Answer all requests of one batch."""
        inputs = [self._pixels(request) for request in requests]
        scores = self._classifier.predict(np.concatenate(inputs))
        ends = np.cumsum([len(pixels) for pixels in inputs])[:-1]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("scores", part)])
            for part in np.split(scores, ends)
        ]

    def _pixels(self, request):
        image = pb_utils.get_input_tensor_by_name(request, "image")
        if image is not None:
            return self._classifier.decode_all(image.as_numpy().ravel())
        return pb_utils.get_input_tensor_by_name(request, "pixels").as_numpy()
