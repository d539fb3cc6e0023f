"""Digits as people draw and photograph them are read by README's model."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import CLIENT, RUNTIME, serving
from tools.pictures.kinds import KINDS, pictures
from tools.pictures.measure import measure
from trainer.data import load_dataset

# So many test images show a share within about two points.
COUNT = 400


@pytest.fixture(scope="module")
def digits():
    """Return evenly chosen test images of MNIST, ``(N, 28, 28)``, and their digits."""
    data = load_dataset(None)
    chosen = np.linspace(0, len(data.x_test) - 1, COUNT).astype(int)
    return data.x_test[chosen][:, :, :, 0], data.y_test[chosen]


def test_the_steps_reach_the_promised_shares(trained, digits):
    rows = {row.kind.name: row for row in measure(trained / "mnist", *digits)}
    untouched = rows["as they are"]
    assert untouched.after >= untouched.before - 0.001
    assert untouched.after >= 0.95
    lacking = {
        name: row.after
        for name, row in rows.items()
        if row.kind.least is not None and row.after < row.kind.least
    }
    assert lacking == {}


def test_the_promises_are_needed(trained, digits):
    """Without the steps the model reads few of these pictures right."""
    kinds = [kind for kind in KINDS if kind.name.startswith(("inverted", "dark"))]
    assert max(row.before for row in measure(trained / "mnist", *digits, kinds)) < 0.3


def test_photos_in_colour_are_read_by_a_server(store, digits):
    """Digits in blue ink on yellowish paper, as JPEG files of a telephone."""
    images, labels = digits
    photographed = pictures(KINDS[-1], images[:40])
    files = []
    for gray in photographed:
        # Ink of 20 levels becomes a dark blue, and paper of 225 a light yellow.
        share = gray[:, :, np.newaxis] / 255.0
        colour = (1 - share) * (10, 30, 140) + share * (255, 250, 225)
        written = io.BytesIO()
        Image.fromarray(colour.astype(np.uint8)).save(written, "JPEG", quality=80)
        files.append(("image", ("photo.jpg", written.getvalue())))
    with serving(RUNTIME, store) as server:
        reply = CLIENT.post(
            f"{server.url}/predict/image", files=files, data={"model": "mnist"}
        )
        explained = CLIENT.post(
            f"{server.url}/explain/image", files=files[:1], data={"model": "mnist"}
        )
    assert reply.status_code == 200, reply.text
    scores = np.array(reply.json())
    assert np.mean(scores.argmax(axis=1) == labels[:40]) >= 0.85
    # Both routes give the model the same.
    probabilities = explained.json()["probabilities"]
    assert probabilities == pytest.approx(scores[0].tolist(), abs=1e-5)
    assert explained.json()["tensor"]["shape"] == [28, 28, 1]
