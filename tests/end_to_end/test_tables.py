"""Tables: from a CSV and from a ROOT file to a served model that is asked by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.conftest import CLIENT, RUNTIME, Server, run, run_python, serving

# Both models are trained in one process, which imports TensorFlow once. Keras says what
# each answers to rows whose values are given in another order than the file's.
MAKE = """
import json
import numpy as np, tensorflow as tf
from click.testing import CliRunner
from pathlib import Path
from tests.trainer.tables.examples import events, numbers, write_csv, write_root
from trainer.cli import main

def train(*arguments):
    done = CliRunner().invoke(main, ["run", "--models-dir", "models", *arguments])
    assert done.exit_code == 0, done.output

def ask(name, inputs):
    import keras
    model = keras.models.load_model(f"models/{name}/1/model.keras", safe_mode=True)
    return model.predict(inputs, verbose=0).tolist()

table = events(60)
table["eta"][5], table["channel"][6] = np.nan, ""
write_csv(Path("events.csv"), table)
train("--fin", "events.csv", "--label", "signal", "--model", "events", "--epochs", "2")
several = numbers(events(60))
write_root(Path("jets.root"), {n: several[n] for n in ("pt", "eta")}, "ttree")
train("--fin", "jets.root:events", "--label", "eta", "--model", "jets", "--no-report",
      "--features", "pt")
answers = {
    "events": ask("events", {
        "pt": np.array([[35.5], [4.0]], np.float32),
        "eta": np.array([[0.25], [np.nan]], np.float32),
        "channel": tf.constant([["mu"], ["no such"]]),
    }),
    "jets": ask("jets", np.array([[12.5], [np.nan]], np.float32)),
}
Path("answers.json").write_text(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def trained(once: Callable[..., Path]) -> Path:
    """Return a folder with a store of two models, and with the answers of Keras."""

    def make(folder: Path) -> None:
        done = run_python(MAKE, folder)
        assert done.returncode == 0, done.stderr

    return once("tables", make)


@pytest.fixture(scope="module")
def answers(trained: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trained / "answers.json").read_text())
    return found


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    with serving(f"{RUNTIME} --models-dir models", trained) as server:
        yield server


def test_a_row_of_numbers_and_texts_is_asked_by_name_as_curl_does(
    server: Server, trained: Path, answers: dict[str, Any]
) -> None:
    row = '{"model": "events", "keys": ["channel", "eta", "pt"],'
    for values, expected in zip(
        ('["mu", 0.25, 35.5]', '["no such", null, 4]'), answers["events"], strict=True
    ):
        body = f'{row} "values": {values}}}'
        told = run(f"curl -sS {server.url}/predict/json -d '{body}'", trained)
        assert json.loads(told) == pytest.approx(expected, rel=1e-4)


def test_a_regression_answers_its_number(
    server: Server, answers: dict[str, Any]
) -> None:
    body = {"model": "jets", "keys": ["pt"], "values": [[12.5], [None]]}
    reply = CLIENT.post(f"{server.url}/predict/json", json=body)
    np.testing.assert_allclose(reply.json(), answers["jets"], rtol=1e-4)
    assert reply.headers["X-Model-Backend"].startswith("onnxruntime")


def test_both_are_proved_and_described(server: Server, trained: Path) -> None:
    for name, features in (("events", ["pt", "eta", "channel"]), ("jets", ["pt"])):
        (version,) = CLIENT.get(f"{server.url}/models/{name}").json()["versions"]
        assert version["params"]["features"] == features
        assert version["parity"]["passed"]
        assert "sample" in {case["inputs"] for case in version["parity"]["cases"]}
    page = CLIENT.get(f"{server.url}/models/events/1/report").text
    assert "What it looks at" in page
    metrics = json.loads((trained / "models/events/1/report/metrics.json").read_text())
    assert {one["feature"] for one in metrics["importance"]} == {"pt", "eta", "channel"}
