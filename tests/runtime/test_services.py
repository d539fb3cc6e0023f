"""Each setting reaches its part of the service."""

import io
import pwd

import numpy as np
import pytest

from bundle.errors import TooLarge
from bundle.spec import ModelSpec
from runtime.config import Config, ConfigError
from runtime.services import create_services
from runtime.telemetry.journey import Journey
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle, write_variant
from tests.forms import png

LINEAR = ModelSpec("linear")
IMAGE = png([[1, 2], [3, 4]])


@pytest.fixture
def serve(tmp_path):
    def serve(**settings):
        settings = {"provider": "cpu", "model_dir": tmp_path / "models", **settings}
        return create_services(Config(**settings))

    return serve


def publish(services, name="linear", times=1, **bundle):
    for _ in range(times):
        services.store.install(lambda folder: write_bundle(folder, name=name, **bundle))


def test_there_is_one_store_for_all(serve):
    services = serve()
    publish(services)
    scores = services.predictor.predict_images(LINEAR, [IMAGE], Journey())
    # Pixel 0 feeds class 0, pixel 1 feeds class 1, pixels 2 and 3 feed class 2.
    assert np.squeeze(scores.scores).tolist() == [1, 2, 7]
    (model,) = services.catalogue.models()
    assert (model["name"], model["loaded"]) == ("linear", 1)
    services.publisher.delete("linear")
    assert services.registry.loaded() == []
    assert services.catalogue.models() == []


def test_a_user_that_nobody_is_is_missed_at_the_start(serve):
    assert "nobody-is-called-so" not in [user.pw_name for user in pwd.getpwall()]
    with pytest.raises(ConfigError, match="'runAsUser'"):
        serve(run_as_user="nobody-is-called-so")


def test_settings_of_tensorflow_that_cannot_be_read_are_told(serve, tmp_path):
    with pytest.raises(ConfigError, match="'configProto'"):
        serve(config_proto=str(tmp_path / "missing.pb"))


def test_old_versions_go_from_the_store(serve):
    services = serve(keep_versions=2)
    publish(services, times=4)
    assert services.store.versions("linear") == [3, 4]


def test_no_more_models_than_the_limit_are_kept_in_memory(serve):
    services = serve(cache_limit=1)
    for name in ("a", "b"):
        publish(services, name)
        services.registry.get(ModelSpec(name))
    assert services.registry.loaded() == [("b", 1)]


def test_no_more_bytes_than_the_limit_are_kept_in_memory(serve):
    services = serve(cache_bytes=len(linear_onnx()) + 1)
    for name in ("a", "b"):
        publish(services, name)
        services.registry.get(ModelSpec(name))
    assert services.registry.loaded() == [("b", 1)]


def test_traffic_goes_to_the_label_that_it_is_given(serve):
    services = serve(traffic={"canary": 100})
    publish(services, times=2)
    services.store.set_label("linear", "canary", 1)
    journey = Journey()
    services.predictor.predict_images(LINEAR, [IMAGE], journey)
    assert journey.version == 1


def test_models_to_be_preloaded_are_missing_until_they_are(serve):
    services = serve(preload=("linear",))
    assert services.preloader.missing() == ["model 'linear' is still to be loaded"]
    assert serve().preloader.missing() == []


def test_the_variant_of_all_models_and_of_one(serve):
    def write(folder):
        write_bundle(folder)
        write_variant(folder, "int8", linear_onnx(2 * WEIGHTS))

    services = serve(variant="int8", models={"other": {"variant": "fp32"}})
    services.store.install(write)
    assert services.registry.get(LINEAR).variant == "int8"
    services = serve(models={"linear": {"variant": "int8"}})
    assert services.registry.get(LINEAR).variant == "int8"
    assert serve().registry.get(LINEAR).variant == "fp32"


def test_an_upload_has_an_end(serve, tmp_path):
    archive = tar_of(write_bundle(tmp_path / "linear"))
    services = serve(max_upload_bytes=100)
    with pytest.raises(TooLarge):
        services.publisher.publish(io.BytesIO(archive))
