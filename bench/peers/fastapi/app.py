"""An app of FastAPI, with uploads and bodies as in its tutorial."""

from typing import Annotated

from classifier import Classifier
from fastapi import FastAPI, File
from pydantic import BaseModel

app = FastAPI()
classifier = Classifier()


class Pixels(BaseModel):
    """Pixels, ``(N, H, W, C)``, 0..255."""

    pixels: list[list[list[list[float]]]]


@app.post("/image")
async def predict_image(image: Annotated[list[bytes], File()]):
    """Answer the scores of a form's ``image`` parts."""
    scores = classifier.predict(classifier.decode_all(image))
    return scores.tolist() if len(image) > 1 else scores[0].tolist()


@app.post("/pixels")
async def predict_pixels(body: Pixels):
    """Answer the scores of pixels."""
    return classifier.predict(body.pixels).tolist()
