"""A custom runtime for MLServer, written as in its documentation."""

from classifier import Classifier
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceResponse


class OnnxModel(MLModel):
    """Takes image files in base64 as ``image``, or arrays as ``pixels``."""

    async def load(self):
        """Load the model."""
        self._classifier = Classifier()
        return True

    async def predict(self, payload):
        """Answer the scores as one output."""
        (given,) = payload.inputs
        if given.name == "image":
            pixels = self._classifier.decode_all(Base64Codec.decode_input(given))
        else:
            pixels = NumpyCodec.decode_input(given)
        scores = self._classifier.predict(pixels)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name="scores", payload=scores)],
        )
