import onnxruntime
import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.backends.onnx import CUDA
from runtime.backends.opening import open_backend
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError, ProviderError
from tests.examples import linear_onnx, write_bundle, write_parity
from tests.runtime.fakes import FakeBackend

CPU = BackendOptions(provider="cpu")
HAS_CUDA = CUDA in onnxruntime.get_available_providers()


@pytest.fixture
def folder(tmp_path):
    return write_bundle(tmp_path / "linear")


@pytest.fixture
def tensorflow(folder):
    """Put a SavedModel beside model.onnx, and a stand-in for its engine."""
    (folder / "saved_model.pb").touch()
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").touch()
    return FakeBackend(name="tensorflow")


def test_onnx_that_was_proved_is_preferred(folder, tensorflow):
    opened = open_backend(open_bundle(folder), CPU)
    assert opened.backend.name == "onnxruntime"
    assert opened.is_proved is True
    assert (opened.fallback_reason, opened.fallback_code) == ("", "")


def test_onnx_without_a_proof_serves_and_is_shown_as_unproved(folder):
    (folder / "parity.json").unlink()
    assert open_backend(open_bundle(folder), CPU).is_proved is False


def remove(folder):
    (folder / "model.onnx").unlink()


def spoil(folder):
    (folder / "model.onnx").write_bytes(b"not a model")
    (folder / "parity.json").unlink()


def exchange(folder):
    (folder / "model.onnx").write_bytes(linear_onnx() + b"\0")


def fail_parity(folder):
    write_parity(folder, sha256="0" * 64, passed=False)


def spoil_parity(folder):
    (folder / "parity.json").write_text("{}")


REFUSALS = [
    (remove, "there is no model.onnx"),
    (spoil, "ONNX Runtime cannot load model.onnx"),
    (exchange, "not the one that parity.json proved"),
    (fail_parity, "failed its parity check"),
    (spoil_parity, "parity.json is not a parity report"),
]
CODES = {
    remove: "missing",
    spoil: "unloadable",
    exchange: "unproved_file",
    fail_parity: "parity_failed",
    spoil_parity: "unreadable",
}


@pytest.mark.parametrize(("damage", "reason"), REFUSALS)
def test_onnx_that_may_not_serve_falls_back_with_its_reason(
    folder, tensorflow, damage, reason
):
    damage(folder)
    opened = open_backend(open_bundle(folder), CPU, lambda bundle: tensorflow)
    assert opened.backend is tensorflow
    assert reason in opened.fallback_reason
    assert opened.fallback_code == CODES[damage]
    assert opened.is_proved is None


@pytest.mark.parametrize(("damage", "reason"), REFUSALS)
def test_required_onnx_that_may_not_serve_is_an_error(
    folder, tensorflow, damage, reason
):
    damage(folder)
    with pytest.raises(BackendError, match=reason):
        open_backend(open_bundle(folder), BackendOptions(onnx="require"))


@pytest.mark.parametrize(("damage", "reason"), REFUSALS[1:])
def test_with_nothing_to_fall_back_to_the_bundle_is_to_blame(folder, damage, reason):
    damage(folder)
    with pytest.raises(BundleError, match="no saved_model.pb to fall back to"):
        open_backend(open_bundle(folder), CPU)


def test_what_people_should_know_of_tensorflows_answers_stands_in_the_reason(
    folder, tensorflow
):
    tensorflow.warning = "each answer is another"
    remove(folder)
    opened = open_backend(open_bundle(folder), CPU, lambda bundle: tensorflow)
    assert opened.fallback_reason.endswith("; each answer is another")


def test_onnx_switched_off_is_tensorflow_without_a_reason(folder, tensorflow):
    options = BackendOptions(onnx="off")
    opened = open_backend(open_bundle(folder), options, lambda bundle: tensorflow)
    assert (opened.backend, opened.fallback_reason) == (tensorflow, "")
    assert opened.fallback_code == "off"


def test_when_both_engines_fail_the_sentence_names_both_reasons(folder, tensorflow):
    spoil(folder)

    def fail(bundle):
        raise BackendError("TensorFlow is not installed here")

    with pytest.raises(
        BackendError, match="cannot load model.onnx; and TensorFlow is not installed"
    ):
        open_backend(open_bundle(folder), CPU, fail)


@pytest.mark.skipif(HAS_CUDA, reason="this onnxruntime is built with CUDA")
def test_cuda_that_was_demanded_is_never_answered_by_tensorflow(folder, tensorflow):
    with pytest.raises(ProviderError, match="built without CUDA"):
        open_backend(open_bundle(folder), BackendOptions(provider="cuda"))
