"""An app of LitServe, which takes images in a form or in base64, or pixels in JSON."""

import base64
import os
import sys

import litserve
import numpy as np
from classifier import Classifier


class Predict(litserve.LitAPI):
    """One model in each worker."""

    def setup(self, device):
        """Load the model."""
        self._classifier = Classifier()

    def decode_request(self, request):
        """Read a form's ``image``, base64 in JSON, or pixels in JSON."""
        if "image" in request:
            return self._classifier.decode(request["image"].file.read())
        if "images" in request:
            files = [base64.b64decode(text) for text in request["images"]]
            return self._classifier.decode_all(files)
        return np.asarray(request["pixels"], np.float32)

    def predict(self, pixels):
        """Run pixels, ``(N, H, W, C)``, and give scores, ``(N, classes)``."""
        return self._classifier.predict(pixels)

    def encode_response(self, scores):
        """Make the JSON of the scores."""
        return {"predictions": scores.tolist()}


if __name__ == "__main__":
    cores = int(os.environ["BENCH_CORES"])
    server = litserve.LitServer(
        Predict(), accelerator="cpu", workers_per_device=cores, timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=cores,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
