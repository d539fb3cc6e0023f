"""A deployment of Ray Serve with a replica for each core."""

import os

from classifier import Classifier
from ray import serve


@serve.deployment(
    num_replicas=int(os.environ["BENCH_CORES"]),
    ray_actor_options={"num_cpus": 0.5},
    max_ongoing_requests=100,
)
class Classify:
    """One model in each replica."""

    def __init__(self):
        self._classifier = Classifier()

    async def __call__(self, request):
        """Answer the scores of a form's ``image`` parts, or of pixels in JSON."""
        if request.url.path.endswith("/image"):
            form = await request.form()
            files = [await part.read() for part in form.getlist("image")]
            pixels = self._classifier.decode_all(files)
        else:
            pixels = (await request.json())["pixels"]
        return {"predictions": self._classifier.predict(pixels).tolist()}


app = Classify.bind()
