"""A service that takes any operator gets an upload whose operators write a file."""

import pytest

from runtime.walls import standing
from tests.end_to_end.conftest import CLIENT, RUNTIME, serving
from tests.examples import tar_of, write_bundle

pytestmark = pytest.mark.tensorflow

TRUSTS = "env TFAAS_TRUST_UPLOADS=true"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "written"


@pytest.fixture
def archive(tmp_path, target):
    """Return a bundle whose SavedModel writes a file with each run."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 2, 2, 1), tf.float32, "x")])
        def __call__(self, x):
            with tf.control_dependencies([tf.io.write_file(str(target), "x")]):
                return {"scores": tf.reshape(x, (-1, 4))[:, :3]}

    folder = write_bundle(tmp_path / "linear", proved=False)
    (folder / "model.onnx").unlink()
    model = Model()
    tf.saved_model.save(model, str(folder), signatures=model.__call__)
    return tar_of(folder)


def upload(tmp_path, archive, walls):
    """Return the service's answer to the upload, and the service's first lines."""
    folder = tmp_path / "service"
    folder.mkdir()
    command = f"{TRUSTS} {RUNTIME} --workers 1 --walls {walls}"
    with serving(command, folder) as server:
        reply = CLIENT.post(f"{server.url}/upload", content=archive)
        status = CLIENT.get(f"{server.url}/status").json()
        assert status["walls"]["policy"] == walls
    return reply, (folder / "server.log").read_text()


@pytest.mark.skipif(not standing().landlock, reason="this kernel has no Landlock")
def test_it_writes_nothing_and_is_answered_by_a_sentence(tmp_path, archive, target):
    reply, log = upload(tmp_path, archive, "auto")
    assert reply.status_code == 422
    assert "the bundle cannot be served" in reply.json()["error"]
    assert str(tmp_path) not in reply.text
    assert not target.exists()
    assert "opened behind Landlock" in log


def test_without_walls_it_would_be_written(tmp_path, archive, target):
    reply, log = upload(tmp_path, archive, "off")
    assert reply.status_code < 300, reply.text
    assert target.read_text() == "x"
    assert "opened without walls" in log


@pytest.mark.skipif(standing().is_whole, reason="this kernel has all walls")
def test_where_walls_are_demanded_and_missing_it_is_refused(tmp_path, archive, target):
    reply, log = upload(tmp_path, archive, "require")
    assert reply.status_code == 503
    assert "'walls' is 'require'" in reply.json()["error"]
    assert "not opened here" in log
    assert not target.exists()
