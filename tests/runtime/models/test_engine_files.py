from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


def test_the_bytes_are_those_of_the_engines_files(tmp_path):
    path = write_bundle(tmp_path / "linear", onnx_bytes=b"x" * 1000)
    (path / "model.onnx.data").write_bytes(b"x" * 200)
    (path / "weights.bin").write_bytes(b"x" * 30)
    (path / "saved_model.pb").write_bytes(b"x" * 5)
    (path / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (path / "variables" / name).write_bytes(b"x" * 60)

    (path / "model.int8.onnx").write_bytes(b"x" * 300)

    def size_in(engine, variant=None):
        opened = Opened(FakeBackend(name=engine), variant=variant)
        return Model(open_bundle(path), 1, opened, None).size_bytes

    assert size_in("onnxruntime", "fp32") == 1230
    assert size_in("onnxruntime", "int8") == 300
    assert size_in("tensorflow") == 125
