import pytest

from bundle.errors import BundleError, ConflictError
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.backends.options import BackendOptions
from runtime.config import Config
from runtime.publishing.publisher import Publisher
from runtime.publishing.trial import try_here
from runtime.services import create_services
from tests.examples import tar_of, write_bundle


def test_who_waits_for_uploads_is_told_of_what_was_published(tmp_path):
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    store, told = services.store, []
    publisher = Publisher(
        store,
        services.registry,
        lambda folder: try_here(folder, BackendOptions(provider="cpu"), trusted=False),
        1_000_000,
        lambda: told.append(store.names()),
    )
    archive = tmp_path / "linear.tar.gz"
    for content, expected in ((b"broken", []), (None, [["linear"]])):
        folder = tmp_path / "linear"
        archive.write_bytes(tar_of(write_bundle(folder, onnx_bytes=content)))
        with archive.open("rb") as stream:
            if content is None:
                publisher.publish(stream)
            else:
                with pytest.raises(BundleError):
                    publisher.publish(stream)
        assert told == expected


def test_the_version_that_a_label_left_stays_in_memory_for_a_rollback(tmp_path):
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    for _ in range(3):
        services.store.install(lambda folder: write_bundle(folder) and None)
    for number in (1, 2, 3):
        services.publisher.set_label("linear", "stable", number)
        assert services.registry.get(ModelSpec("linear")).version == number
    assert services.registry.loaded() == [("linear", 2), ("linear", 3)]
    services.publisher.set_label("linear", "canary", 1)
    services.publisher.delete_label("linear", "canary")
    assert ("linear", 3) in services.registry.loaded()


def test_the_labels_of_an_unloaded_model_move_and_it_stays_out_of_memory(tmp_path):
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    store = services.store
    for content in (None, b"broken", None):
        store.install(
            lambda folder, c=content: write_bundle(folder, onnx_bytes=c) and None
        )
    services.repository.unload("linear")
    services.publisher.set_label("linear", "stable", 1)
    with pytest.raises(BundleError, match="version 2 of 'linear' cannot be loaded"):
        services.publisher.set_label("linear", "stable", 2)
    assert store.labels("linear") == {"stable": 1}
    assert services.registry.loaded() == []
    services.repository.load("linear")
    assert services.registry.loaded() == [("linear", 1)]
    services.repository.unload("linear")
    assert services.publisher.delete_label("linear", "stable") == 1


def test_a_label_goes_to_no_other_bundle_than_the_one_that_loaded(
    tmp_path, monkeypatch
):
    """It was deleted during its trial, and its number was used again."""
    services = create_services(Config(model_dir=tmp_path / "models", provider="cpu"))
    store, get = services.store, services.registry.get
    for _ in range(2):
        store.install(lambda folder: write_bundle(folder) and None)

    def loading(spec):
        found = get(spec)
        ModelStore(store.root).delete_version("linear", 2)
        ModelStore(store.root).install(lambda folder: write_bundle(folder) and None)
        return found

    monkeypatch.setattr(services.registry, "get", loading)
    with pytest.raises(ConflictError, match="deleted and published anew"):
        services.publisher.set_label("linear", "stable", 2)
    assert store.labels("linear") == {}
