"""POST /explain/image shows each step of an image on its way to the model."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from bundle.decode import MAX_PIXELS
from tests.forms import form, png
from tests.pictures import saved
from tests.replies import error_of
from tests.runtime.graphs import identity

A = png([[10, 20], [30, 40]])


@pytest.fixture
def ask(client):
    def ask(image=A, model="linear", **fields):
        body, headers = form(image=image, model=model, **fields)
        return client.simulate_post("/explain/image", body=body, headers=headers)

    return ask


def pixels_of(step):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(step["png"]))))


def test_each_step_is_shown_with_the_tensor_and_the_answer(publish, ask):
    publish(
        "linear",
        channels=1,
        labels=("zero", "one", "two"),
        preprocess={"invert": True, "scale": 0.5, "offset": -1},
    )
    reply = ask()
    assert reply.status_code == 200, reply.text
    explained = reply.json
    steps = explained["steps"]
    assert [step["name"] for step in steps] == ["decoded", "size", "invert"]
    assert [step["shape"] for step in steps] == [[2, 2, 1]] * 3
    assert pixels_of(steps[0]).tolist() == [[10, 20], [30, 40]]
    assert pixels_of(steps[2]).tolist() == [[245, 235], [225, 215]]
    assert explained["tensor"] == {
        "shape": [2, 2, 1],
        "dtype": "float32",
        "min": 106.5,
        "max": 121.5,
        "mean": 114.0,
        "clipped": 0.0,
    }
    # Pixel 0 feeds class 0, pixel 1 class 1, and pixels 2 and 3 class 2.
    assert explained["probabilities"] == [121.5, 116.5, 218.0]
    assert [label["label"] for label in explained["labels"]] == ["two", "zero", "one"]
    assert reply.headers["x-model-version"] == "1"
    assert reply.headers["cache-control"] == "no-store"


def test_it_answers_as_predict_image_does(publish, client, ask):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    body, headers = form(image=png([[255, 0, 9]]), model="linear")
    predicted = client.simulate_post("/predict/image", body=body, headers=headers)
    explained = ask(png([[255, 0, 9]]))
    assert explained.json["probabilities"] == predicted.json
    assert explained.headers["x-model-backend"] == predicted.headers["x-model-backend"]


def test_clipped_is_the_share_of_black_and_white(publish, ask):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    assert ask(png([[0, 255], [255, 1]])).json["tensor"]["clipped"] == 0.75


def test_top_gives_so_many_labels(publish, ask):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    assert len(ask(top="2").json["labels"]) == 2


def test_dark_ink_on_a_transparent_ground_is_seen_if_polarity_says_so(publish, ask):
    pixels = np.zeros((40, 40, 2), np.uint8)
    pixels[10:30, 18:22] = (30, 255)  # a dark bar, and nothing around it
    drawn = saved(Image.fromarray(pixels, "LA"))
    publish("same", identity(1, "n", 28, 28, 1), channels=1)
    steps = ask(drawn, model="same").json["steps"]
    assert pixels_of(steps[0])[[0, 20], [0, 20]].tolist() == [0, 30]
    publish(
        "same",
        identity(1, "n", 28, 28, 1),
        channels=1,
        preprocess={"polarity": "auto", "fit": {"box": [20, 20]}},
    )
    steps = ask(drawn, model="same").json["steps"]
    assert pixels_of(steps[0])[[0, 20], [0, 20]].tolist() == [255, 30]
    saw = pixels_of(steps[-1])
    assert np.flatnonzero(saw.any(axis=1)).tolist() == [*range(4, 24)]


def test_a_large_picture_is_shown_small_with_its_own_size(publish, ask):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    reply = ask(saved(Image.new("L", (1000, 600), 200)))
    step = reply.json["steps"][0]
    assert step["shape"] == [600, 1000, 1]
    assert pixels_of(step).shape == (150, 250)


def test_a_drawn_digit_is_shown_as_the_model_saw_it(publish, ask):
    steps = {"polarity": "auto", "fit": {"box": [20, 20]}}
    # This model answers with what it saw.
    publish("same", identity(1, "n", 28, 28, 1), channels=1, preprocess=steps)
    pixels = np.full((90, 70), 255, np.uint8)
    pixels[40:70, 10:16] = 0
    explained = ask(saved(Image.fromarray(pixels)), model="same").json
    shown = explained["steps"]
    assert [step["name"] for step in shown] == ["decoded", "polarity", "fit", "size"]
    assert pixels_of(shown[1]).tolist() == (255 - pixels).tolist()
    saw = np.array(explained["probabilities"])[:, :, 0]
    assert pixels_of(shown[3]).tolist() == saw.tolist()
    # The bar of 30 rows fills the 20 in the middle.
    assert np.flatnonzero(saw.any(axis=1)).tolist() == [*range(4, 24)]
    assert explained["labels"] == []


@pytest.mark.parametrize(
    ("image", "status", "words"),
    [
        (b"text", 400, "Invalid image"),
        ("img1.png", 400, "curl sends the file"),
        ([A, A], 400, "the form has 2 images; send one, or ask /predict/image"),
        (saved(Image.new("1", (MAX_PIXELS // 1000 + 1, 1000))), 400, "pixels"),
    ],
    ids=["text", "a name", "two", "too large"],
)
def test_an_image_that_cannot_be_predicted_is_refused(
    publish, ask, image, status, words
):
    publish("linear", channels=1, labels=("zero", "one", "two"))
    reply = ask(image)
    assert reply.status_code == status
    assert words in error_of(reply)


def test_a_model_without_images_is_told(publish, ask):
    publish("linear", labels=("zero", "one", "two"))
    assert "takes no images" in error_of(ask())


def test_an_unknown_model_is_404(ask):
    assert ask(model="other").status_code == 404
