from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleError
from bundle.folder import Bundle, open_bundle

# A folder's name is its case.
CASES = Path(__file__).parents[1] / "bundles"

WRONG = {
    "no-params": "params.json is missing",
    "params-not-json": "params.json is not JSON",
    "params-a-list": "params.json must hold one JSON object",
    "name-with-slash": "params.json: 'name' is 'digits/1'",
    "labels-missing": "labels.txt is missing, and params.json names it as 'labels'",
    "labels-not-utf8": "labels.txt is not a text file in UTF-8",
    "labels-a-folder": "variables is not a text file in UTF-8",
    "labels-outside": "params.json: 'labels' must name a file of the bundle",
    "labels-unprintable-name": "params.json holds a value that JSON cannot carry",
    "no-model": "neither saved_model.pb nor model.onnx is there",
    "no-variables": "variables/variables.index is missing",
    "no-shard": "variables/variables.data-00001-of-00002 is missing",
}
RIGHT = {
    "whole": ("zero", "one"),
    "onnx-alone": ("zero", "one"),
    "constant-weights": ("zero", "one"),
    "no-labels": (),
    "labels-blank": (),
    "labels-from-windows": ("zero", "one"),
}


def test_every_folder_has_its_expectation() -> None:
    assert {path.name for path in CASES.iterdir()} == WRONG.keys() | RIGHT.keys()


@pytest.mark.parametrize("case", WRONG)
def test_broken_bundle_has_its_sentence(case: str) -> None:
    with pytest.raises(BundleError) as caught:
        open_bundle(CASES / case)
    assert str(caught.value).startswith(WRONG[case])
    assert str(CASES) not in str(caught.value)


@pytest.mark.parametrize("case", RIGHT)
def test_whole_bundle_opens_with_its_labels(case: str) -> None:
    bundle = open_bundle(CASES / case)
    assert bundle.params.name == "digits"
    assert bundle.labels == RIGHT[case]
    assert bundle.path == CASES / case


def test_bundle_says_which_models_it_holds() -> None:
    whole, onnx = open_bundle(CASES / "whole"), open_bundle(CASES / "onnx-alone")
    assert (whole.has_saved_model, whole.onnx) == (True, None)
    assert (onnx.has_saved_model, onnx.onnx) == (
        False,
        CASES / "onnx-alone" / "model.onnx",
    )


def test_folder_that_is_not_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"params\.json is missing"):
        open_bundle(tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a", ("a",)),
        ("a\nb", ("a", "b")),
        ("a\n\nc\n", ("a", "", "c")),
        ("a\n\n\n", ("a",)),
        (" a \n b\n", (" a ", " b")),
        ("größer\n雪\n", ("größer", "雪")),
        ("a\u2028b\n", ("a\u2028b",)),
    ],
)
def test_a_label_is_a_line(tmp_path: Path, text: str, labels: tuple[str, ...]) -> None:
    (tmp_path / "params.json").write_text('{"name": "m", "labels": "l.txt"}')
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "l.txt").write_text(text, encoding="utf-8", newline="")
    assert open_bundle(tmp_path).labels == labels


# --- frozen graphs

NODES = {"input_node": "x", "output_node": "y"}
# protobuf: a node, field 1 with a length, which is named "x".
GRAPH_DEF = b"\x0a\x03\x0a\x01x"
# A SavedModel's first field is its schema's version, 1.
SAVED_MODEL = b"\x08\x01"


def with_graph(folder: Path, file: str, data: bytes, **params: object) -> Path:
    content = {"name": "m", "model": file, **params}
    (folder / "params.json").write_text(json.dumps(content))
    (folder / file).write_bytes(data)
    return folder


def with_saved_model(folder: Path) -> Path:
    (folder / "saved_model.pb").write_bytes(SAVED_MODEL)
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").touch()
    return folder


@pytest.mark.parametrize("file", ["tf_model_20180315.pb", "saved_model.pb"])
def test_a_graph_without_variables_is_a_frozen_one(tmp_path: Path, file: str) -> None:
    bundle = open_bundle(with_graph(tmp_path, file, GRAPH_DEF, **NODES))
    assert bundle.frozen_graph == bundle.tensorflow_model == tmp_path / file
    assert not bundle.has_saved_model
    assert bundle.nodes == ("x", "y")


def test_a_saved_model_is_no_frozen_graph(tmp_path: Path) -> None:
    bundle = open_bundle(CASES / "whole")
    assert (bundle.frozen_graph, bundle.nodes) == (None, ())
    assert bundle.tensorflow_model == CASES / "whole" / "saved_model.pb"
    assert open_bundle(CASES / "onnx-alone").tensorflow_model is None


def test_a_saved_model_with_variables_is_one_whatever_it_begins_with(
    tmp_path: Path,
) -> None:
    with_graph(with_saved_model(tmp_path), "saved_model.pb", GRAPH_DEF)
    assert open_bundle(tmp_path).has_saved_model


def test_a_saved_model_that_lost_its_variables_is_no_frozen_graph(
    tmp_path: Path,
) -> None:
    variable = b"\x0a\x10\x0a\x01v\x12\x0bVarHandleOp"  # a node and its operator
    with_graph(tmp_path, "saved_model.pb", SAVED_MODEL + variable, **NODES)
    with pytest.raises(BundleError, match="saved_model.pb has variables"):
        open_bundle(tmp_path)


def test_of_both_the_one_that_params_json_names_is_the_model(tmp_path: Path) -> None:
    with_graph(with_saved_model(tmp_path), "graph.pb", GRAPH_DEF, **NODES)
    bundle = open_bundle(tmp_path)
    assert (bundle.frozen_graph, bundle.has_saved_model) == (tmp_path / "graph.pb", 0)
    (tmp_path / "graph.pb").unlink()
    bundle = open_bundle(tmp_path)
    assert (bundle.frozen_graph, bundle.has_saved_model) == (None, 1)


def test_a_named_file_of_another_kind_is_no_graph(tmp_path: Path) -> None:
    with_graph(with_saved_model(tmp_path), "model.keras", b"PK")
    assert open_bundle(tmp_path).has_saved_model


@pytest.mark.parametrize("missing", NODES)
def test_a_frozen_graph_needs_its_nodes(tmp_path: Path, missing: str) -> None:
    nodes = {key: node for key, node in NODES.items() if key != missing}
    with_graph(tmp_path, "graph.pb", GRAPH_DEF, **nodes)
    with pytest.raises(BundleError, match=f"'{missing}' is missing: .* graph.pb"):
        open_bundle(tmp_path)


def test_a_frozen_graph_that_is_not_there_is_named(tmp_path: Path) -> None:
    with_graph(tmp_path, "graph.pb", GRAPH_DEF, **NODES).joinpath("graph.pb").unlink()
    with pytest.raises(BundleError, match="neither graph.pb nor model.onnx is there"):
        open_bundle(tmp_path)


# --- sample.npz

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1)  # (N, H, W, C)
LABELS = np.array([1, 0], dtype=np.uint8)


def with_sample(folder: Path, data: bytes) -> Bundle:
    (folder / "params.json").write_text('{"name": "m"}')
    (folder / "model.onnx").write_bytes(b"")
    (folder / "sample.npz").write_bytes(data)
    return open_bundle(folder)


def npz(compress: bool = False, **arrays: object) -> bytes:
    written = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(written, **arrays)  # type: ignore[arg-type]
    return written.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return written.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_sample_reads_as_it_was_written(tmp_path: Path, compress: bool) -> None:
    data = npz(compress, images=IMAGES, labels=LABELS)
    sample = with_sample(tmp_path, data).read_sample()
    assert sample is not None
    assert sample.images.dtype == np.uint8
    assert sample.images.tolist() == IMAGES.tolist()
    assert sample.labels.dtype == np.int64
    assert sample.labels.tolist() == [1, 0]


def test_bundle_without_a_sample_has_none() -> None:
    assert open_bundle(CASES / "whole").read_sample() is None


SAMPLE = npz(images=IMAGES, labels=LABELS)
HEADER_OF_A_TERABYTE = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,1,1,1)}"


def npy_of_shape(count: int) -> bytes:
    header = (HEADER_OF_A_TERABYTE % count).ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def flagged(data: bytes, flag: int) -> bytes:
    """Set a general purpose flag on every member (APPNOTE 4.4.4)."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            changed[place + offset] |= flag
            place = data.find(signature, place + 4)
    return bytes(changed)


BAD_SAMPLES = {
    "empty": b"",
    "text": b"images",
    "npy-not-npz": npy(IMAGES),
    "pickled-array": npz(images=np.array([{}, {}], dtype=object), labels=LABELS),
    "pickle": b"\x80\x04K\x01.",
    "no-labels": npz(images=IMAGES),
    "no-images": npz(labels=LABELS),
    "float-images": npz(images=IMAGES.astype(np.float32), labels=LABELS),
    "no-channel-axis": npz(images=IMAGES[..., 0], labels=LABELS),
    "one-label-short": npz(images=IMAGES, labels=LABELS[:1]),
    "one-hot-labels": npz(images=IMAGES, labels=np.eye(2, dtype=np.int64)),
    "float-labels": npz(images=IMAGES, labels=LABELS.astype(np.float64)),
    "member-is-no-array": zip_of({"images.npy": b"hello", "labels.npy": npy(LABELS)}),
    "member-is-empty": zip_of({"images.npy": b"", "labels.npy": npy(LABELS)}),
    "terabytes": zip_of({"images.npy": npy_of_shape(10**15), "labels.npy": b""}),
    "beyond-64-bits": zip_of({"images.npy": npy_of_shape(10**30), "labels.npy": b""}),
    "encrypted": flagged(SAMPLE, 0x01),
}


@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_bad_sample_is_refused(tmp_path: Path, case: str) -> None:
    bundle = with_sample(tmp_path, BAD_SAMPLES[case])
    with pytest.raises(BundleError, match=r"^sample\.npz "):
        bundle.read_sample()


def test_pickle_in_a_sample_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    bundle = with_sample(tmp_path, npz(images=np.array([Trap()]), labels=LABELS))
    with pytest.raises(BundleError):
        bundle.read_sample()
    assert not (tmp_path / "sprung").exists()


def test_sample_that_unpacks_beyond_the_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((1000, 1, 1, 1), np.uint8)
    data = npz(True, images=images, labels=np.zeros(1000, np.uint8))
    # Two .npy: a header of 128 bytes and 1000 of content each.
    bundle = with_sample(tmp_path, data)
    monkeypatch.setattr("bundle.sample.MAX_BYTES", 2256)
    assert bundle.read_sample() is not None
    monkeypatch.setattr("bundle.sample.MAX_BYTES", 2255)
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        bundle.read_sample()


@pytest.mark.parametrize("part", range(1, 10))
def test_truncated_sample_is_refused(tmp_path: Path, part: int) -> None:
    bundle = with_sample(tmp_path, SAMPLE[: len(SAMPLE) * part // 10])
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        bundle.read_sample()


@pytest.mark.parametrize("compress", [False, True])
@given(data=st.data())
def test_damaged_sample_is_refused_or_read(
    tmp_path: Path, compress: bool, data: st.DataObject
) -> None:
    damaged = bytearray(npz(compress, images=IMAGES, labels=LABELS))
    for place in data.draw(
        st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)
    ):
        damaged[place] ^= data.draw(st.integers(1, 255))
    bundle = with_sample(tmp_path, bytes(damaged))
    try:
        sample = bundle.read_sample()
    except BundleError:
        return
    assert sample is not None
    assert len(sample.images) == len(sample.labels)


def test_deflate_error_in_a_sample_is_refused(tmp_path: Path) -> None:
    whole = npz(
        True, images=np.zeros((50, 9, 9, 1), np.uint8), labels=np.zeros(50, int)
    )
    start = whole.index(b"images.npy") + len(b"images.npy")
    # 0xff after the local header: a deflate block of the reserved type 3.
    extra = int.from_bytes(whole[28:30], "little")
    start += extra
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(b"\xff" * 8)
    bundle = with_sample(tmp_path, whole[:start] + b"\xff" * 8 + whole[start + 8 :])
    with pytest.raises(BundleError, match=r"sample\.npz is not a sample"):
        bundle.read_sample()
