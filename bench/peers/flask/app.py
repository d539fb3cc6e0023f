"""An app of Flask, with uploads and JSON as in its documentation."""

from classifier import Classifier
from flask import Flask, jsonify, request

app = Flask(__name__)
classifier = Classifier()


@app.post("/image")
def predict_image():
    """Answer the scores of a form's ``image`` parts."""
    files = [part.read() for part in request.files.getlist("image")]
    scores = classifier.predict(classifier.decode_all(files))
    return jsonify(scores.tolist() if len(files) > 1 else scores[0].tolist())


@app.post("/pixels")
def predict_pixels():
    """Answer the scores of pixels."""
    return jsonify(classifier.predict(request.get_json()["pixels"]).tolist())
