import json
import os
from dataclasses import replace

import pytest

from bundle.manifest import onnx_digest
from bundle.parity import Parity
from exporter.destination import Destination, beside, destination_of
from exporter.errors import ExportError, OutputError, ParityFailed
from exporter.sources.source import open_source
from tests.examples import file_size_limit
from tests.exporter.sources.test_source import saved_model

PASSED = Parity(True, "", 1e-5, 1e-4, 3e-7, 4e-6, 1.0, 64)


@pytest.fixture
def bundle(tmp_path):
    return open_source(saved_model(tmp_path / "bundle", "digits"))


@pytest.fixture
def left(tmp_path):
    return keras_file(tmp_path / "left.keras")


def keras_file(path):
    path.write_bytes(path.name.encode())
    return open_source(path)


@pytest.fixture
def publish(tmp_path):
    """Publish a candidate of some bytes, as an export of a source does."""

    def publish(source, destination, content=b"onnx", data=b"", parity=PASSED):
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        for file in scratch.iterdir():
            file.unlink()
        candidate = scratch / destination.model.name
        candidate.write_bytes(content)
        if data:
            candidate.with_name(f"{candidate.name}.data").write_bytes(data)
        made = replace(
            parity,
            sha256=onnx_digest(candidate),
            saved_model=parity.saved_model or source.digest(),
            source=source.name,
        )
        destination.publish(source, candidate, made)

    return publish


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("output", "model", "proof"),
    [
        (None, "model.onnx", "parity.json"),
        ("out", "out/model.onnx", "out/parity.json"),
        ("out/left.onnx", "out/left.onnx", "out/left.parity.json"),
        ("out/model.onnx", "out/model.onnx", "out/parity.json"),
    ],
)
def test_where_model_and_proof_go(tmp_path, left, output, model, proof):
    destination = destination_of(left, tmp_path / output if output else None)
    assert destination.model == tmp_path / model
    assert destination.proof == tmp_path / proof
    assert destination.data == tmp_path / f"{model}.data"


def test_a_folder_that_is_named_as_a_file_is_a_folder(tmp_path, left):
    (tmp_path / "v1.onnx").mkdir()
    destination = destination_of(left, tmp_path / "v1.onnx")
    assert destination.model == tmp_path / "v1.onnx" / "model.onnx"


def test_the_output_folder_is_not_made_before_there_is_something_for_it(tmp_path, left):
    destination_of(left, tmp_path / "a" / "b").prepare(left)
    assert not (tmp_path / "a").exists()


def test_an_output_below_a_file_is_refused(tmp_path, left):
    with pytest.raises(OutputError, match="cannot be made: "):
        destination_of(left, tmp_path / "left.keras" / "x").prepare(left)


def test_an_output_that_is_another_file_is_refused_by_its_name(tmp_path, left):
    with pytest.raises(
        OutputError, match=r"left\.keras is neither a folder nor a file"
    ):
        destination_of(left, tmp_path / "left.keras").prepare(left)


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(left, monkeypatch):
    """root may write anywhere, so the test itself answers the question."""
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(OutputError, match="is not writable"):
        beside(left).prepare(left)


def test_two_keras_files_of_one_folder_do_not_replace_each_others(
    tmp_path, left, publish
):
    right = keras_file(tmp_path / "right.keras")
    publish(left, beside(left))
    beside(left).prepare(left)
    with pytest.raises(OutputError, match="'right.keras' but from 'left.keras'.*--out"):
        beside(right).prepare(right)


def test_an_onnx_of_unknown_making_beside_a_keras_file_is_not_replaced(tmp_path, left):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(OutputError, match="not noted"):
        beside(left).prepare(left)


def test_a_keras_file_that_was_trained_again_is_converted_again(left, publish):
    publish(left, beside(left))
    left.graph.write_bytes(b"other weights")
    beside(left).prepare(left)
    publish(left, beside(left), b"other onnx")
    assert beside(left).model.read_bytes() == b"other onnx"


def test_a_bundles_own_onnx_is_always_replaced(bundle):
    """The service takes model.onnx for the bundle's, whoever made it."""
    beside(bundle).model.touch()
    beside(bundle).prepare(bundle)


@pytest.mark.parametrize("there", ["params.json", "saved_model.pb"])
def test_a_keras_file_does_not_become_a_bundles_onnx(tmp_path, left, there):
    (tmp_path / there).touch()
    with pytest.raises(OutputError, match=f"has a {there}.*not of 'left.keras'"):
        beside(left).prepare(left)
    destination_of(left, tmp_path / "left.onnx").prepare(left)


def test_another_signature_does_not_become_the_bundles_onnx(bundle):
    other = open_source(bundle.folder, signature="embed")
    with pytest.raises(OutputError, match="'digits embed'"):
        beside(other).prepare(other)


def test_two_signatures_of_a_saved_model_do_not_replace_each_others(bundle, publish):
    (bundle.folder / "params.json").unlink()
    one = open_source(bundle.folder, signature="one")
    beside(one).prepare(one)
    publish(one, beside(one))
    for signature in ("two", ""):
        other = open_source(bundle.folder, signature=signature)
        with pytest.raises(OutputError, match="but from 'bundle one'"):
            beside(other).prepare(other)


def test_a_saved_model_may_be_renamed_with_its_onnx(bundle, publish):
    (bundle.folder / "params.json").unlink()
    source = open_source(bundle.folder)
    publish(source, beside(source))
    renamed = open_source(bundle.folder.rename(bundle.folder.with_name("renamed")))
    beside(renamed).prepare(renamed)
    (renamed.folder / "variables" / "variables.index").write_bytes(b"another")
    with pytest.raises(OutputError, match="but from 'bundle'"):
        beside(renamed).prepare(renamed)


def test_model_and_proof_are_written(bundle, publish):
    before = contents(bundle.folder)
    publish(bundle, beside(bundle))
    after = contents(bundle.folder)
    assert after.keys() - before.keys() == {"model.onnx", "parity.json"}
    assert {name: after[name] for name in before} == before
    proof = json.loads(after["parity.json"])
    assert (proof["passed"], proof["source"]) == (True, "digits")


@pytest.mark.parametrize("place", ["digits/1", "digits/1/model.savedmodel"])
@pytest.mark.parametrize("is_bare", [False, True])
def test_a_model_of_a_store_gets_a_new_time(tmp_path, publish, place, is_bare):
    """All services look at a model anew when its folder's time changes."""
    folder = saved_model(tmp_path / place, "digits")
    if is_bare:
        (folder / "params.json").unlink()
    os.utime(tmp_path / "digits", (1, 1))
    source = open_source(folder)
    publish(source, beside(source))
    assert (tmp_path / "digits").stat().st_mtime > 1


def test_external_data_comes_and_goes_with_its_model(bundle, publish):
    publish(bundle, beside(bundle), data=b"weights")
    assert (bundle.folder / "model.onnx.data").read_bytes() == b"weights"
    proof = beside(bundle).read_proof()
    assert proof.sha256 == onnx_digest(beside(bundle).model)
    publish(bundle, beside(bundle))
    assert not (bundle.folder / "model.onnx.data").exists()


def test_one_that_answers_otherwise_leaves_no_model(bundle, publish):
    publish(bundle, beside(bundle), data=b"weights")
    failed = replace(PASSED, passed=False, max_abs_diff=0.25)
    with pytest.raises(ParityFailed, match="largest difference 0.25"):
        publish(bundle, beside(bundle), b"other", parity=failed)
    assert json.loads(beside(bundle).proof.read_bytes())["passed"] is False
    assert not beside(bundle).model.exists()
    assert not beside(bundle).data.exists()


def test_a_source_replaced_meanwhile_is_left_as_it_is(bundle, publish):
    """The source was deleted and uploaded again meanwhile, so it has other weights."""
    before = contents(bundle.folder)
    with pytest.raises(ExportError, match="was replaced while it was converted"):
        publish(bundle, beside(bundle), parity=replace(PASSED, saved_model="f00d"))
    assert contents(bundle.folder) == before


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data", "parity.json"])
def test_what_a_killed_export_left_is_taken_away(bundle, publish, name):
    left = bundle.folder / f".{name}.{'0' * 32}"
    left.touch()
    publish(bundle, beside(bundle))
    assert not left.exists()


@pytest.mark.parametrize(
    "new",
    [
        {"content": bytes(9000)},
        {"data": bytes(9000)},
        {"content": bytes(9000), "data": bytes(9000)},
    ],
    ids=["model", "data", "both"],
)
@pytest.mark.parametrize("old_data", [b"", b"old weights"])
def test_a_full_disk_leaves_the_bundle_as_it_was(
    bundle, publish, monkeypatch, new, old_data
):
    publish(bundle, beside(bundle), b"old", old_data)
    before = contents(bundle.folder)
    honest = Destination.publish

    def on_a_small_disk(*arguments):
        with file_size_limit(4096):
            honest(*arguments)

    monkeypatch.setattr(Destination, "publish", on_a_small_disk)
    with pytest.raises(OSError, match="File too large"):
        publish(bundle, beside(bundle), **new)
    assert contents(bundle.folder) == before
