"""FastAPI as its tutorial has uploads and bodies."""

from typing import Annotated

from classifier import Classifier
from fastapi import FastAPI, File
from pydantic import BaseModel

app = FastAPI()
classifier = Classifier()


class Pixels(BaseModel):
    """``(N, H, W, C)``, 0..255."""

    pixels: list[list[list[list[float]]]]


@app.post("/image")
async def predict_image(image: Annotated[list[bytes], File()]):
    """Scores of a form's ``image`` parts."""
    scores = classifier.predict(classifier.decode_all(image))
    return scores.tolist() if len(image) > 1 else scores[0].tolist()


@app.post("/pixels")
async def predict_pixels(body: Pixels):
    """Scores of pixels."""
    return classifier.predict(body.pixels).tolist()
