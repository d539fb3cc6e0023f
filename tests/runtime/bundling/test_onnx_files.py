"""An ONNX model is copied with its weights, and with the proof of this very file."""

import json

import onnx
import pytest

from bundle.errors import BundleError
from bundle.manifest import sha256_of
from runtime.admin.errors import AdminError
from runtime.bundling.onnx_files import copy_onnx
from tests.examples import linear_onnx, write_parity


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "bundle").mkdir()
    return tmp_path / "bundle"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def with_weights_in(path, file):
    """Write the model with its weights in another file."""
    model = onnx.load_from_string(linear_onnx())
    onnx.save(model, path, save_as_external_data=True, location=file, size_threshold=0)


def test_a_model_is_copied_under_the_bundles_name(tmp_path, bundle):
    (tmp_path / "net.onnx").write_bytes(linear_onnx())
    copy_onnx(tmp_path / "net.onnx", bundle)
    assert (bundle / "model.onnx").read_bytes() == linear_onnx()
    assert names(bundle) == ["model.onnx"]


def test_weights_in_another_file_come_along(tmp_path, bundle):
    with_weights_in(tmp_path / "net.onnx", "net.weights")
    copy_onnx(tmp_path / "net.onnx", bundle)
    assert names(bundle) == ["model.onnx", "net.weights"]
    onnx.checker.check_model(bundle / "model.onnx")


def test_weights_that_are_missing_are_told(tmp_path, bundle):
    with_weights_in(tmp_path / "net.onnx", "net.weights")
    (tmp_path / "net.weights").unlink()
    with pytest.raises(AdminError, match=r"weights in 'net\.weights'.*no such file"):
        copy_onnx(tmp_path / "net.onnx", bundle)


def test_weights_outside_of_the_folder_are_not_read(tmp_path, bundle):
    with_weights_in(tmp_path / "net.onnx", "net.weights")
    content = (tmp_path / "net.onnx").read_bytes()
    (tmp_path / "net.onnx").write_bytes(content.replace(b"net.weights", b"../../hosts"))
    with pytest.raises(AdminError, match="no such file beside it"):
        copy_onnx(tmp_path / "net.onnx", bundle)


@pytest.mark.parametrize(
    ("file", "proof"),
    [("model.onnx", "parity.json"), ("net.onnx", "net.parity.json")],
)
def test_the_proof_of_this_file_comes_along(tmp_path, bundle, file, proof):
    (tmp_path / file).write_bytes(linear_onnx())
    write_parity(tmp_path, sha256=sha256_of(tmp_path / file), file=proof)
    copy_onnx(tmp_path / file, bundle)
    assert json.loads((bundle / "parity.json").read_text())["passed"]


def test_the_proof_of_another_file_stays(tmp_path, bundle):
    (tmp_path / "net.onnx").write_bytes(linear_onnx())
    write_parity(tmp_path, sha256="0" * 64, file="net.parity.json")
    copy_onnx(tmp_path / "net.onnx", bundle)
    (tmp_path / "net.parity.json").write_text("[]")
    copy_onnx(tmp_path / "net.onnx", bundle)
    assert names(bundle) == ["model.onnx"]


def test_a_file_that_is_no_onnx_is_refused(tmp_path, bundle):
    (tmp_path / "net.onnx").write_bytes(b"\x0a\xff")
    with pytest.raises(BundleError, match=r"net\.onnx is damaged"):
        copy_onnx(tmp_path / "net.onnx", bundle)
