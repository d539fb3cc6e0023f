"""A model of numbers and texts answers through each door; sums are done by hand."""

import pytest

from bundle.spec import ModelSpec
from runtime.grpc.inference import Inference
from runtime.grpc.lane import OwnThread
from runtime.grpc.serving import Serving
from runtime.models.readiness import Readiness
from runtime.prediction.predictor import Predictor
from runtime.prediction.rows import read_rows
from runtime.telemetry.journey import Journey
from runtime.wire.oip import inference_pb2 as oip
from runtime.wire.tfs import serving_pb2 as tfs
from runtime.wire.tfs.tensors import read_tensor
from tests.examples import mixed_onnx
from tests.mixed import ANSWERS, FEATURES, doors, oip_request, oip_scores, tfs_request
from tests.replies import error_of
from tests.runtime.graphs import FLOAT, onnx_of
from tests.runtime.http.resources.test_predict_proto import classes, row


@pytest.fixture
def ask(client, publish):
    """Return the function that asks the application; it has the model."""
    publish("mixed", mixed_onnx(), features=FEATURES)
    return client.simulate_post


def of_rows(ask, values, keys=tuple(FEATURES)):
    return ask(
        "/predict/json", json={"model": "mixed", "keys": [*keys], "values": values}
    )


@pytest.mark.parametrize("door", doors("mixed"), ids=lambda door: door.name)
def test_each_door_takes_numbers_and_texts(ask, door):
    reply = ask(door.path, body=door.body, headers=door.headers)
    assert reply.status_code == 200, reply.text
    assert door.read(reply.json) == door.answers


def test_the_messages_of_grpc_take_numbers_and_texts(ask, services):
    readiness = Readiness(services.store, services.preloader)
    (infer,) = (
        method
        for method in Inference(services, readiness, OwnThread()).service.methods
        if method.name == "ModelInfer"
    )
    data = infer.answer(oip_request("mixed").SerializeToString(), Journey("id"))
    assert oip_scores(oip.ModelInferResponse.FromString(data)) == ANSWERS
    (predict,) = (
        method
        for service in Serving(services, OwnThread()).services
        for method in service.methods
        if method.name == "Predict"
    )
    data = predict.answer(tfs_request("mixed").SerializeToString(), Journey("id"))
    told = tfs.PredictResponse.FromString(data).outputs["scores"]
    assert read_tensor("scores", told).tolist() == ANSWERS


def test_a_fixed_batch_answers_any_number_of_rows(client, publish):
    publish("mixed", mixed_onnx(batch=2), features=FEATURES)
    rows = [[n, "e", 2 * n] for n in range(5)]
    reply = of_rows(client.simulate_post, rows)
    assert reply.json == [[n + 10, 2 * n] for n in range(5)]


def test_a_message_of_floats_gives_numbers_alone(client, publish, ask):
    names = ["part", "pt", "njet"]
    reply = ask("/predict/proto", body=row([1, 2, 3], "mixed", names))
    assert error_of(reply) == (
        "'values' at the key 'part' must hold texts, and holds a number"
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            ["0.5", "mu", 2],
            "'values' at the key 'pt' must hold numbers, and holds a te",
        ),
        (
            [0.5, 13, 2],
            "'values' at the key 'part' must hold texts, and holds a number",
        ),
        ([0.5, "mu", None], "'values' at the key 'njet' holds null"),
        (
            [[0.5, "mu", 2], ["mu", 0.5, 2]],
            r"'values[1]' at the key 'pt' must hold num",
        ),
        ([[0.5, "mu", 2], [0.5, "mu"]], "'values' is ragged"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(ask, values, problem):
    reply = of_rows(ask, values)
    assert reply.status_code == 400
    assert error_of(reply).startswith(problem)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["pt", "part", "x"], "the model has no feature 'x'; it has pt, part, njet"),
        (["pt", "part"], "there are 2 keys and 3 values in a row"),
        ([], "the key 'pt' is missing; the model takes pt, part, njet"),
    ],
)
def test_wrong_keys_are_named(ask, keys, problem):
    reply = of_rows(ask, [0.5, "mu", 2], keys)
    assert reply.status_code == 400
    assert error_of(reply).startswith(problem)


def test_a_message_of_floats_is_answered_with_labels(client, publish):
    columns = onnx_of(
        [("Concat", ["a", "b"], ["scores"], {"axis": 1})],
        [("a", FLOAT, ("n", 1)), ("b", FLOAT, ("n", 1))],
        [("scores", FLOAT, ("n", 2))],
    )
    publish("columns", columns, labels=("x", "y"), features=["b", "a"])
    body = row([0.25, 0.75], "columns", ["b", "a"])
    reply = client.simulate_post("/predict/proto", body=body)
    assert reply.content == classes(("x", 0.75), ("y", 0.25))


class Keeping:
    """A shadow, and a watch, that keep what they are offered."""

    def __init__(self):
        self.offered, self.noted = [], []

    def offer(self, name, model, inputs_for, outputs):
        self.offered.append((inputs_for, outputs.tolist()))

    def note(self, inputs, outputs):
        self.noted.append(
            ({n: a.tolist() for n, a in inputs.items()}, outputs.tolist())
        )


def test_a_shadow_and_the_watch_get_the_rows_by_name(publish, services):
    publish("mixed", mixed_onnx(), features=FEATURES)
    publish("mixed", mixed_onnx(batch=4), features=FEATURES[::-1])
    keeping = Keeping()
    first, second = (
        services.registry.get(ModelSpec("mixed", version=number)) for number in (1, 2)
    )
    first.watched = keeping
    predictor = Predictor(services.registry, keeping)
    rows = read_rows(FEATURES, [0.5, "mu", 2])
    predictor.predict_rows(ModelSpec("mixed", version=1), rows, Journey())
    ((inputs_for, outputs),) = keeping.offered
    assert outputs == [[20.5, 2]]
    assert {name: array.tolist() for name, array in inputs_for(second).items()} == {
        "pt": [[0.5]] * 4,
        "part": [["mu"]] * 4,
        "njet": [[2]] * 4,
    }
    inputs = {"pt": [[0.5]], "part": [["mu"]], "njet": [[2]]}
    assert keeping.noted == [(inputs, [[20.5, 2]])]
