"""Each hot setting acts in a service that runs, as soon as SIGHUP brought it there."""

import hashlib
import json
import logging
from dataclasses import fields, replace

import pytest

from bundle.spec import ModelSpec
from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from runtime.telemetry import logs
from tests.clients import LocalClient
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle, write_variant
from tests.forms import form, png

BODY, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")
DIGEST = hashlib.sha256(b"secret").hexdigest()


class Running:
    """A service of one model, whose settings change while it runs."""

    def __init__(self, folder, **settings):
        self.folder = folder
        config = Config(model_dir=folder / "models", provider="cpu", **settings)
        self.services = create_services(config)
        self._app = create_app(self.services, config)
        self.publish()

    @property
    def client(self):
        return LocalClient(self._app)

    def change(self, **settings):
        """Do what a worker does with other settings."""
        before = self.services
        config = replace(before.config, **settings)
        self.services = before.renewed(config)
        self._app = create_app(self.services, config, self._app)
        self.services.follow()
        self.services.reopen(before)

    def publish(self, **bundle):
        self.services.store.install(lambda folder: write_bundle(folder, **bundle))

    def predict(self, **headers):
        return self.client.simulate_post(
            "/predict/image", body=BODY, headers={**HEADERS, **headers}
        )

    def model(self):
        return self.services.registry.get(ModelSpec("linear"))


@pytest.fixture
def running(tmp_path):
    return Running(tmp_path)


def bearer(header="Authorization"):
    return {header: "Bearer secret"}


def write_tokens(running):
    assert running.client.simulate_delete("/delete/absent").status_code == 404
    running.change(write_tokens=(DIGEST,))
    assert running.client.simulate_delete("/delete/absent").status_code == 401
    reply = running.client.simulate_delete("/delete/absent", headers=bearer())
    assert reply.status_code == 404


def write_tokens_file(running):
    file = running.folder / "tokens"
    file.write_text(DIGEST)
    running.change(write_tokens_file=str(file))
    assert running.client.simulate_delete("/delete/absent").status_code == 401


def predict_tokens(running):
    assert running.predict().status_code == 200
    running.change(predict_tokens=(DIGEST,))
    assert running.predict().status_code == 401
    assert running.predict(**bearer()).status_code == 200


def predict_tokens_file(running):
    file = running.folder / "tokens"
    file.write_text(hashlib.sha256(b"other").hexdigest())
    running.change(predict_tokens_file=str(file))
    assert running.predict(**bearer()).status_code == 401
    # The same setting, and another content.
    file.write_text(DIGEST)
    running.change()
    assert running.predict(**bearer()).status_code == 200


def token_header(running):
    running.change(predict_tokens=(DIGEST,), token_header="X-Token")
    assert running.predict(**bearer()).status_code == 401
    assert running.predict(**bearer("X-Token")).status_code == 200


def trusted_proxies(running):
    running.change(rate="1-D")
    far = {"X-Forwarded-For": "203.0.113.9"}
    assert running.predict().status_code == 200
    assert running.predict(**far).status_code == 429, "it counts as this machine"
    running.change(trusted_proxies=("127.0.0.0/8",))
    assert running.predict(**far).status_code == 200


def cors_origins(running):
    origin = {"Origin": "https://lab.example"}
    key = "access-control-allow-origin"
    assert key not in running.predict(**origin).headers
    running.change(cors_origins=("https://lab.example",))
    assert running.predict(**origin).headers[key] == "https://lab.example"


def rate(running):
    running.change(rate="2-D")
    assert [running.predict().status_code for _ in range(3)] == [200, 200, 429]
    # Other settings do not forget who has asked.
    running.change(timeout_ms=1000)
    assert running.predict().status_code == 429
    running.change(rate="")
    assert running.predict().status_code == 200


def verbose(running):
    log = logging.getLogger("runtime")
    running.change(verbose=2)
    assert log.level == logging.DEBUG
    running.change(verbose=0)
    assert log.level == logging.WARNING


def access_log(running):
    running.change(access_log=False)
    assert logs.request_log.requests_level == logging.CRITICAL
    running.change(access_log=True)
    assert logs.request_log.requests_level == logging.INFO


def monit_record(running):
    running.change(monit_record=True)
    assert logs.monit.level == logging.INFO
    running.change(monit_record=False)
    assert logs.monit.level == logging.CRITICAL


def cache_limit(running):
    running.publish(name="other")
    for name in ("other", "linear"):
        running.services.registry.get(ModelSpec(name))
    assert len(running.services.registry.loaded()) == 2
    running.change(cache_limit=1)
    assert running.services.registry.loaded() == [("linear", 1)]


def cache_bytes(running):
    running.publish(name="other")
    for name in ("other", "linear"):
        running.services.registry.get(ModelSpec(name))
    running.change(cache_bytes=1)
    assert running.services.registry.loaded() == [("linear", 1)]


def keep_versions(running):
    running.publish()
    running.change(keep_versions=1)
    running.publish()
    assert running.services.store.versions("linear") == [3]


def traffic(running):
    running.publish()
    running.services.store.set_label("linear", "canary", 1)
    assert running.predict().headers["x-model-version"] == "2"
    running.change(traffic={"canary": 100.0})
    assert running.predict().headers["x-model-version"] == "1"
    running.change(traffic={})
    assert running.predict().headers["x-model-version"] == "2"


def shadow(running):
    assert running.services.shadow is None
    running.change(shadow="canary")
    first = running.services.shadow
    assert first is not None
    running.change(rate="9-S")
    assert running.services.shadow is first
    running.change(shadow="")
    assert running.services.shadow is None


def watched(running):
    described = running.services.watch.describe("linear", 1)
    assert described is not None
    return described


def parity_share(running):
    running.model()
    assert watched(running)["parity"]["share"] == 0
    running.change(parity_share=50.0)
    assert watched(running)["parity"]["share"] == 50


def on_parity_failure(running):
    running.model()
    running.change(on_parity_failure="fallback")
    state = running.services.watch._states["linear", 1].parity
    assert state._on_failure == "fallback"


def drift(running):
    running.model()
    assert watched(running)["drift"] is not None
    running.change(drift="off")
    assert watched(running)["drift"] is None
    running.change(drift="auto")
    assert watched(running)["drift"] is not None


def drift_seconds(running):
    running.model()
    running.change(drift_seconds=60)
    assert running.services.watch._states["linear", 1].drift.window == (60, 500)


def drift_items(running):
    running.model()
    running.change(drift_items=7)
    assert running.services.watch._states["linear", 1].drift.window == (3600, 7)


def feedback(running):
    body, headers = form(image=png([[1, 2], [3, 4]]), model="linear", label="one")
    return running.client.simulate_post("/feedback", body=body, headers=headers)


def feedback_dir(running):
    assert feedback(running).status_code == 403
    running.change(feedback_dir=str(running.folder / "kept"))
    assert feedback(running).status_code == 201
    assert (running.folder / "kept" / "linear").is_dir()


def feedback_bytes(running):
    kept = str(running.folder / "kept")
    running.change(feedback_dir=kept, feedback_bytes=1)
    assert feedback(running).status_code == 409
    running.change(feedback_bytes=1 << 20)
    assert feedback(running).status_code == 201


def feedback_items(running):
    (running.folder / "kept").mkdir()
    running.change(feedback_dir=str(running.folder / "kept"))
    assert running.services.feedback._folder._max_items == 10_000
    running.change(feedback_items=3)
    assert running.services.feedback._folder._max_items == 3


def variant(running):
    def write(folder):
        write_bundle(folder)
        write_variant(folder, "int8", linear_onnx(2 * WEIGHTS))

    running.services.store.install(write)
    assert running.predict().json == [1, 2, 7]
    running.change(variant="int8")
    assert running.predict().json == [2, 4, 14]


def max_batch_size(running):
    first = running.model()
    assert first.max_batch_size == 32
    running.change(max_batch_size=4)
    second = running.model()
    assert second is not first
    assert second.max_batch_size == 4


def batching(running):
    running.model()
    running.change(batching="on")
    assert running.model().batching.startswith("on: ")


def max_queue_delay_us(running):
    first = running.model()
    running.change(max_queue_delay_us=100)
    assert running.model() is not first


def models(running):
    running.publish(name="other")
    other = running.services.registry.get(ModelSpec("other"))
    running.model()
    running.change(models={"linear": {"max_batch_size": 2}})
    assert running.model().max_batch_size == 2
    assert running.services.registry.get(ModelSpec("other")) is other
    # The way back.
    running.change(models={})
    assert running.model().max_batch_size == 32


def timeout_ms(running):
    watch = running._app.predictions._watch
    running.change(timeout_ms=1)
    assert running._app.predictions._watch is not watch
    assert running._app.predictions._watch._timeout_ms == 1


def max_upload_bytes(running):
    archive = tar_of(write_bundle(running.folder / "b", name="new"))
    running.change(max_upload_bytes=10)
    reply = running.client.simulate_post("/upload", body=archive)
    assert reply.status_code == 413
    running.change(max_upload_bytes=1 << 20)
    reply = running.client.simulate_post("/upload", body=archive)
    assert reply.status_code == 200


def static_dir(running):
    (running.folder / "site" / "css").mkdir(parents=True)
    (running.folder / "site" / "css" / "a.css").write_text("a{}")
    assert running.client.simulate_get("/css/a.css").status_code == 404
    running.change(static_dir=str(running.folder / "site"))
    assert running.client.simulate_get("/css/a.css").text == "a{}"


PROBES = {
    probe.__name__: probe
    for probe in (
        *(write_tokens, write_tokens_file, predict_tokens, predict_tokens_file),
        *(token_header, trusted_proxies, cors_origins, rate, verbose, access_log),
        *(monit_record, cache_limit, cache_bytes, keep_versions, traffic, shadow),
        *(parity_share, on_parity_failure, drift, drift_seconds, drift_items),
        *(feedback_dir, feedback_bytes, feedback_items, variant, max_batch_size),
        *(batching, max_queue_delay_us, models, timeout_ms, max_upload_bytes),
        static_dir,
    )
}

# ``end_to_end/test_settings.py`` changes these in real processes.
IN_PROCESSES = {"server_key", "server_crt", "drain_seconds"}


def test_each_hot_setting_is_probed():
    hot = {field.name for field in fields(Config) if field.metadata["hot"]}
    assert {*PROBES, *IN_PROCESSES} == hot


@pytest.mark.parametrize("name", PROBES)
def test_a_hot_setting_acts_at_once(running, name):
    PROBES[name](running)


def test_the_service_s_time_and_tracing_go_on(running):
    started = running.services.started
    running.change(rate="9-S")
    assert running.services.started == started
    assert running._app.tracing is None
    told = json.loads(running.client.simulate_get("/status").text)["settings"]
    assert told["refused"] is None
    assert told["needRestart"] == []


def test_a_model_that_cannot_be_opened_anew_serves_as_it_was(running, monkeypatch):
    first = running.model()

    def fail(*args):
        raise MemoryError

    monkeypatch.setattr("runtime.models.opening.open_model", fail)
    running.change(max_batch_size=4)
    assert running.model() is first
    assert running.predict().json == [1, 2, 7]
    assert running.services.registry.failure("linear", 1) is None
