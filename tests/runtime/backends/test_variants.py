import numpy as np
import pytest

from bundle.folder import open_bundle
from runtime.backends.opening import open_backend
from runtime.backends.options import BackendOptions
from tests.examples import (
    WEIGHTS,
    linear_onnx,
    write_bundle,
    write_parity,
    write_variant,
)
from tests.runtime.fakes import FakeBackend

INT8 = BackendOptions(provider="cpu", variant="int8")


@pytest.fixture
def folder(tmp_path):
    """Write model.onnx, and two variants that answer twice and three times as much."""
    folder = write_bundle(tmp_path / "linear")
    write_variant(folder, "fp16", linear_onnx(2 * WEIGHTS))
    write_variant(folder, "int8", linear_onnx(3 * WEIGHTS))
    return folder


def answer_of(opened):
    """Return the answer to pixels that are all one; model.onnx answers [1, 1, 2]."""
    (spec,) = opened.backend.inputs
    return opened.backend.run({spec.name: np.ones((1, 2, 2, 1), spec.dtype)})[
        "scores"
    ].tolist()


@pytest.mark.parametrize(
    ("in_params", "in_config", "serves", "answer"),
    [
        ("", "fp32", "fp32", [[1, 1, 2]]),
        ("", "fp16", "fp16", [[2, 2, 4]]),
        ("", "int8", "int8", [[3, 3, 6]]),
        ("int8", "fp32", "int8", [[3, 3, 6]]),
        ("int8", "fp16", "int8", [[3, 3, 6]]),
        ("fp32", "int8", "fp32", [[1, 1, 2]]),
    ],
)
def test_params_json_names_the_variant_and_else_the_config(
    folder, in_params, in_config, serves, answer
):
    write_variant(folder, "int8", linear_onnx(3 * WEIGHTS))
    params = {"variant": in_params} if in_params else {}
    content = (folder / "model.onnx").read_bytes()
    write_bundle(folder, onnx_bytes=content, params=params)
    options = BackendOptions(provider="cpu", variant=in_config)
    opened = open_backend(open_bundle(folder), options)
    assert answer_of(opened) == answer
    assert (opened.variant, opened.variant_reason) == (serves, "")
    assert (opened.is_proved, opened.fallback_code) == (True, "")


def remove(folder):
    (folder / "model.int8.onnx").unlink()


def remove_proof(folder):
    (folder / "parity.int8.json").unlink()


def exchange(folder):
    (folder / "model.int8.onnx").write_bytes(linear_onnx(4 * WEIGHTS))


def fail(folder):
    write_parity(folder, sha256="0" * 64, passed=False, file="parity.int8.json")


def spoil(folder):
    write_variant(folder, "int8", b"not a model")


def spoil_proof(folder):
    (folder / "parity.int8.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove, "there is no model.int8.onnx; make it with: exporter convert --quan"),
        (remove_proof, "there is no parity.int8.json that proves model.int8.onnx"),
        (exchange, "model.int8.onnx is not the one that parity.int8.json proved"),
        (fail, "model.int8.onnx failed its parity check"),
        (spoil, "ONNX Runtime cannot load model.int8.onnx"),
        (spoil_proof, "parity.int8.json is not a parity report"),
    ],
)
def test_a_variant_that_may_not_serve_leaves_model_onnx_to_serve(
    folder, damage, reason
):
    damage(folder)
    opened = open_backend(open_bundle(folder), INT8)
    assert answer_of(opened) == [[1, 1, 2]]
    assert opened.variant == "fp32"
    assert opened.variant_reason.startswith(reason)
    assert (opened.fallback_code, opened.fallback_reason) == ("variant", "")


def test_where_no_onnx_may_serve_both_reasons_are_told(folder):
    (folder / "saved_model.pb").touch()
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").touch()
    tensorflow = FakeBackend(name="tensorflow")
    fail(folder)
    (folder / "model.onnx").unlink()
    opened = open_backend(open_bundle(folder), INT8, lambda bundle: tensorflow)
    assert opened.backend is tensorflow
    assert (opened.variant, opened.fallback_code) == (None, "missing")
    assert "model.int8.onnx failed" in opened.variant_reason
    assert "there is no model.onnx" in opened.fallback_reason


def test_a_variant_serves_where_there_is_no_model_onnx_to_fall_back_to(folder):
    bundle = open_bundle(folder)
    (folder / "model.onnx").unlink()
    assert open_backend(bundle, INT8).variant == "int8"
