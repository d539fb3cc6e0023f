"""A simple app of Falcon as people write it: one form, one session, no checks."""

import falcon
from classifier import Classifier


class Image:
    """The route for a form's ``image`` parts."""

    def __init__(self, classifier):
        self._classifier = classifier

    def on_post(self, req, resp):
        """Answer their scores."""
        files = [part.get_data() for part in req.get_media() if part.name == "image"]
        scores = self._classifier.predict(self._classifier.decode_all(files))
        resp.media = scores.tolist() if len(files) > 1 else scores[0].tolist()


class Pixels:
    """The route for JSON, ``{"pixels": [...]}``."""

    def __init__(self, classifier):
        self._classifier = classifier

    def on_post(self, req, resp):
        """Answer their scores."""
        resp.media = self._classifier.predict(req.get_media()["pixels"]).tolist()


classifier = Classifier()
app = falcon.App()
app.add_route("/image", Image(classifier))
app.add_route("/pixels", Pixels(classifier))
