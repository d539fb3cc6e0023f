import gc
import weakref

from runtime import publisher
from runtime.app import create_services
from runtime.config import Config
from tests.examples import tar_of, write_bundle


def test_a_bundle_on_trial_is_let_go_before_its_version_is_loaded(
    tmp_path, monkeypatch
):
    """Else memory would hold every upload twice."""
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    tried, left = [], []
    open_model, get = publisher.model_of, services.registry.get

    def opening(*arguments):
        model = open_model(*arguments)
        tried.append(weakref.ref(model))
        return model

    def loading(spec):
        gc.collect()
        left.extend(trial() for trial in tried)
        return get(spec)

    monkeypatch.setattr(publisher, "model_of", opening)
    monkeypatch.setattr(services.registry, "get", loading)
    archive = tmp_path / "linear.tar.gz"
    archive.write_bytes(tar_of(write_bundle(tmp_path / "linear")))
    with archive.open("rb") as stream:
        assert services.publisher.publish(stream).version == 1
    assert (len(tried), left) == (1, [None])
