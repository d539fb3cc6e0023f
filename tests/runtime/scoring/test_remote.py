"""A server gives the same scores; what it refuses is rejected or told."""

import functools

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

import tfaas_onnx
from bundle.spec import ModelSpec
from runtime.access.tokens import digest_of
from runtime.admin.errors import AdminError, ServerFailed
from runtime.cli import main
from runtime.config import Config
from runtime.http.application import create_app
from runtime.scoring.facts import facts_of
from runtime.scoring.inputs import open_source
from runtime.scoring.local import LocalModel, find_version, options_of
from runtime.scoring.remote import RemoteEngine, find_facts
from runtime.scoring.scorer import Scorer
from runtime.services import create_services
from tests.examples import write_bundle
from tests.mixed import ANSWERS, COLUMNS
from tests.runtime.scoring.makers import CSV, GRAYS

DIGITS = np.array([*GRAYS.values()], np.uint8)


@pytest.fixture
def service(store, place):
    config = Config(model_dir=place / "models", provider="cpu")
    services = create_services(config)
    app = create_app(services, config)
    requests = []

    def counted(environ, start):
        requests.append(environ["PATH_INFO"])
        return app(environ, start)

    transport = httpx.WSGITransport(counted)
    url = "http://localhost:8083"
    with tfaas_onnx.Client(url, transport=transport, retries=0) as client:
        client.requests = requests
        yield client


def scored(client, paths, model="linear", keep=()):
    facts = find_facts(client, ModelSpec(model))
    source = open_source(paths, facts, "", keep)
    (chunk,) = source.chunks(100, 0)
    return Scorer(RemoteEngine(client, facts), facts).score(chunk)


def test_a_server_tells_the_facts_that_the_version_tells(service, place):
    config = Config(model_dir=place / "models", provider="cpu")
    version = find_version(config, ModelSpec("linear"))
    here = facts_of(LocalModel(version, options_of(config, 4)).open().model, "")
    there = find_facts(service, ModelSpec("linear"))
    for name in ("name", "version", "inputs", "output", "labels", "img_channels"):
        assert getattr(there, name) == getattr(here, name), name
    assert there.digest == find_facts(service, ModelSpec("linear", 1)).digest


def test_pictures_go_to_the_server_as_they_are(service, place, pictures):
    (pictures / "broken.png").write_bytes(b"no picture")
    found = scored(service, [place / "pictures"])
    expected = [line.split(",") for line in CSV.splitlines()[1:]]
    assert list(found.items) == [row[0] for row in expected]
    assert found.scores.tolist() == [[*map(float, row[2:])] for row in expected]
    ((item, reason),) = found.rejected
    assert item == "broken.png"
    assert "damaged, cut short" in reason


def test_arrays_of_pictures_are_sent_as_pictures(service, place):
    np.savez(place / "x.npz", x=DIGITS)
    found = scored(service, [place / "x.npz"])
    expected = [line.split(",")[2:] for line in CSV.splitlines()[1:]]
    assert found.scores.tolist() == [[*map(float, row)] for row in expected]


def test_rows_are_sent_as_tensors(service, place):
    np.savez(place / "x.npz", x=DIGITS.reshape(5, 4) / 2)
    found = scored(service, [place / "x.npz"])
    assert found.scores.dtype == np.float32
    assert found.scores[0].tolist() == [5.0, 10.0, 3.5]
    assert service.requests[-1] == "/v2/models/linear/versions/1/infer"


@pytest.mark.usefixtures("mixed")
def test_texts_are_sent_as_tensors(service, place):
    rows = zip(*(array.ravel() for array in COLUMNS.values()), strict=True)
    lines = "".join(f"{pt},{part},{njet}\n" for pt, part, njet in rows)
    (place / "r.csv").write_text(f"pt,part,njet\n{lines}")
    assert scored(service, [place / "r.csv"], "mixed").scores.tolist() == ANSWERS


def test_another_version_that_is_published_meanwhile_does_not_answer(
    service, store, place
):
    facts = find_facts(service, ModelSpec("linear"))
    store.install(lambda staged: write_bundle(staged, labels=("x", "y", "z")))
    engine = RemoteEngine(service, facts)
    engine.inputs({"pixels": np.zeros((1, 2, 2, 1), np.float32)})
    assert service.requests[-1] == "/v2/models/linear/versions/1/infer"
    assert find_facts(service, ModelSpec("linear")).version == 2


def test_a_label_chooses_the_version(service, store):
    store.install(write_bundle)
    store.set_label("linear", "canary", 1)
    assert find_facts(service, ModelSpec("linear", label="canary")).version == 1
    with pytest.raises(AdminError, match="model 'linear' has no label 'other'"):
        find_facts(service, ModelSpec("linear", label="other"))


def test_a_version_that_cannot_be_served_is_told(service, store):
    store.install(lambda staged: write_bundle(staged, onnx_bytes=b"bad"))
    with pytest.raises((ServerFailed, tfaas_onnx.ClientError)):
        find_facts(service, ModelSpec("linear", 2))


def test_a_wrong_token_is_told_before_anything_is_written(store, place, monkeypatch):
    config = Config(
        model_dir=place / "models", provider="cpu", predict_tokens=(digest_of("right"),)
    )
    transport = httpx.WSGITransport(create_app(create_services(config), config))
    monkeypatch.setattr(
        "runtime.admin.remote.Client",
        functools.partial(tfaas_onnx.Client, transport=transport),
    )
    np.savez(place / "x.npz", x=DIGITS)
    command = "score x.npz --model linear --out s.csv --url http://localhost:8083"
    for token, code in (("wrong", 2), ("right", 0)):
        monkeypatch.setenv("MODELS_TOKEN", token)
        done = CliRunner().invoke(main, command.split())
        assert done.exit_code == code, done.output
        assert ("--token-file FILE" in done.output) is bool(code)
        assert (place / "s.csv").exists() is not bool(code)


def test_a_server_that_does_not_answer_is_told_at_once(score, place):
    np.savez(place / "x.npz", x=DIGITS)
    # Nothing listens to the port 9 of this address.
    command = "x.npz --model linear --out s.csv --url http://127.64.0.9:9"
    done = score(command, code=1)
    assert "http://127.64.0.9:9" in done.output
    assert not (place / "s.csv").exists()
