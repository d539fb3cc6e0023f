"""Each field of a form becomes a file of a bundle."""

import bz2
import io
import itertools
import json
import tarfile
import zipfile

import pytest

from bundle.errors import ArchiveError, BundleError, TooLarge
from runtime.errors import InvalidInput
from runtime.publishing.bundle_form import Field, write_form
from tests.bundle.making import bundle_files, bundle_tar, member, read_files, tar_of

PARAMS = b'{"name": "mnist", "model": "saved_model.pb", "labels": "labels.txt"}'
BARE = b'{"name": "mnist"}'


def fields(*parts):
    for name, filename, data in parts:
        yield Field(name, filename, io.BytesIO(data))


def written(tmp_path, *parts, name="", is_base64=False, max_bytes=1_000_000):
    folder = tmp_path / "staged"
    folder.mkdir()
    options = {"is_base64": is_base64, "max_bytes": max_bytes}
    write_form(fields(*parts), folder, name=name, **options)
    return read_files(folder)


TFAAS = (
    ("name", None, b"mnist"),
    ("params", "params.json", PARAMS),
    ("model", "saved_model.pb", b"graph"),
    ("labels", "labels.txt", b"0\n1\n"),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_fields_are_files_in_any_order(tmp_path, order):
    assert written(tmp_path, *(TFAAS[i] for i in order)) == {
        "params.json": PARAMS,
        "saved_model.pb": b"graph",
        "labels.txt": b"0\n1\n",
    }


def test_params_may_have_any_name(tmp_path):
    parts = (("params", "mnist-2024.json", PARAMS), *TFAAS[2:])
    assert written(tmp_path, *parts)["params.json"] == PARAMS


def test_files_that_params_do_not_name_keep_their_own_names(tmp_path):
    """TFaaS's documentation uploads a TF1 frozen graph in this way."""
    files = written(
        tmp_path,
        ("params", "p.json", b'{"name": "higgs", "x": 1}'),
        ("model", "/home/me/higgs.pb", b"graph"),
        ("labels", "C:\\models\\classes.txt", b"0\n1\n"),
        ("op", "ops.txt", b"ops"),
    )
    params = json.loads(files.pop("params.json"))
    assert params == {
        "name": "higgs",
        "x": 1,
        "model": "higgs.pb",
        "labels": "classes.txt",
        "op": "ops.txt",
    }
    assert files == {"higgs.pb": b"graph", "classes.txt": b"0\n1\n", "ops.txt": b"ops"}


def test_files_that_params_name_otherwise_get_that_name(tmp_path):
    files = written(
        tmp_path,
        ("params", "params.json", PARAMS),
        ("model", "model-v2.pb", b"graph"),
        ("labels", "imagenet.txt", b"0\n"),
    )
    assert set(files) == {"params.json", "saved_model.pb", "labels.txt"}
    assert files["params.json"] == PARAMS


def test_texts_without_a_file_name_are_taken_too(tmp_path):
    """curl -F params='<params.json' sends such a text."""
    files = written(
        tmp_path,
        ("params", None, BARE),
        ("model", None, b"graph"),
        ("labels", None, b"0\n"),
        ("op", None, b"ops"),
    )
    assert json.loads(files.pop("params.json")) == {
        "name": "mnist",
        "model": "saved_model.pb",
        "labels": "labels.txt",
        "op": "model.graph",
    }
    assert set(files) == {"saved_model.pb", "labels.txt", "model.graph"}


def test_the_name_completes_params(tmp_path):
    files = written(
        tmp_path,
        ("name", None, b"mnist"),
        ("params", "p", b"{}"),
        ("onnx", "x", b"onnx"),
    )
    assert json.loads(files["params.json"]) == {"name": "mnist"}


def test_graph_and_weights_are_a_saved_model(tmp_path):
    """TensorFlow finds the graph by one name alone."""
    files = written(
        tmp_path,
        ("variables", "variables.index", b"index"),
        ("model", "mnist.pb", b"graph"),
        ("variables", "variables.data-00000-of-00001", b"weights"),
        ("params", "params.json", BARE),
        ("assets", "words.txt", b"words"),
    )
    assert json.loads(files.pop("params.json"))["model"] == "saved_model.pb"
    assert files == {
        "saved_model.pb": b"graph",
        "variables/variables.index": b"index",
        "variables/variables.data-00000-of-00001": b"weights",
        "assets/words.txt": b"words",
    }


@pytest.mark.parametrize("field", ["onnx", "model"])
def test_an_onnx_file_is_model_onnx(tmp_path, field):
    files = written(
        tmp_path,
        ("params", "params.json", BARE),
        (field, "mnist-12.onnx", b"onnx"),
        ("sample", "test.npz", b"sample"),
    )
    assert files == {
        "params.json": BARE,
        "model.onnx": b"onnx",
        "sample.npz": b"sample",
    }


@pytest.mark.parametrize("gz", [True, False])
@pytest.mark.parametrize("field", ["model", "file"])
def test_an_archive_is_a_bundle(tmp_path, field, gz):
    files = written(tmp_path, (field, "mnist.tar.gz", bundle_tar(gz=gz)))
    assert files == bundle_files()


def test_other_fields_add_to_an_archive(tmp_path):
    content = bundle_files()
    files = written(
        tmp_path,
        ("params", "params.json", content["params.json"]),  # this field comes twice
        ("onnx", "model.onnx", b"onnx"),
        ("file", "x", bundle_tar()),
        ("name", None, b"mnist"),
    )
    assert files == {**content, "model.onnx": b"onnx"}


def test_a_model_in_base64_is_decoded(tmp_path):
    files = written(
        tmp_path,
        ("params", "params.json", PARAMS),
        ("model", "saved_model.pb", b"Z3Jh\ncGg=\n"),
        ("labels", "labels.txt", b"Z3Jh"),
        is_base64=True,
    )
    assert files["saved_model.pb"] == b"graph"
    assert files["labels.txt"] == b"Z3Jh", "as it is"


def test_a_file_that_nobody_chose_is_no_field(tmp_path):
    """A browser sends this for an empty <input type="file">."""
    assert "op" not in written(tmp_path, *TFAAS, ("op", "", b""))


# -- what is refused ------------------------------------------------------------------


def refused(tmp_path, *parts, **options):
    error = options.pop("error", InvalidInput)
    with pytest.raises(error) as caught:
        written(tmp_path, *parts, **options)
    return str(caught.value)


def test_an_unknown_field_is_named(tmp_path):
    sentence = refused(tmp_path, *TFAAS, ("weights", "x.h5", b"x"))
    assert "unknown field 'weights'" in sentence
    assert "name, params, model, labels, op, variables" in sentence


@pytest.mark.parametrize("again", range(4))
def test_a_field_sent_twice_is_named(tmp_path, again):
    sentence = refused(tmp_path, *TFAAS, TFAAS[again])
    assert f"the field {TFAAS[again][0]!r} is there twice" in sentence


def test_a_weights_file_sent_twice_is_named(tmp_path):
    twice = [("variables", "variables.index", b"x")] * 2
    assert "'variables/variables.index' twice" in refused(tmp_path, *TFAAS, *twice)


def test_two_archives_are_one_too_many(tmp_path):
    parts = [("model", "x", bundle_tar()), ("file", "x", bundle_tar())]
    assert "both hold an archive" in refused(tmp_path, *parts)


def test_an_archive_and_another_file_of_its_name_contradict(tmp_path):
    parts = [("file", "x", bundle_tar()), ("labels", "x.txt", b"other")]
    assert "two different files 'labels.txt'" in refused(tmp_path, *parts)


@pytest.mark.parametrize("own", ["params.json", "saved_model.pb", "variables"], ids=str)
def test_two_fields_of_one_file_name_contradict(tmp_path, own):
    sentence = refused(
        tmp_path,
        ("params", "params.json", BARE),
        ("model", "saved_model.pb", b"graph"),
        ("variables", "variables.index", b"x"),
        ("labels", own, b"0\n"),
    )
    assert f"two different files {own!r}" in sentence


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("m/variables"))
    parts = [("file", "x", target.getvalue()), ("variables", "variables.index", b"x")]
    assert "a file 'variables'" in refused(tmp_path, *parts)


@pytest.mark.parametrize("missing", ["params", "model"])
def test_a_missing_field_is_named(tmp_path, missing):
    parts = [part for part in TFAAS[1:] if part[0] != missing]
    assert f"the field {missing!r} is missing" in refused(tmp_path, *parts)


@pytest.mark.parametrize("top", ["mnist", "."])
def test_params_are_not_needed_where_the_name_is_told(tmp_path, top):
    """A form's own name goes before that of the archive's folder."""
    archive = tar_of(
        member(f"{top}/{name}", data)
        for name, data in bundle_files().items()
        if name != "params.json"
    )
    files = written(tmp_path, ("name", None, b"digits"), ("file", "x", archive))
    assert json.loads(files["params.json"]) == {"name": "digits"}
    assert files.keys() == bundle_files().keys()


def test_the_query_names_what_nothing_else_names(tmp_path):
    parts = [part for part in TFAAS[1:] if part[0] not in ("params", "labels")]
    files = written(tmp_path, *parts, name="digits")
    assert json.loads(files["params.json"])["name"] == "digits"


def test_no_fields_are_none(tmp_path):
    assert "the field 'params' is missing" in refused(tmp_path)


def test_another_name_than_that_of_params_is_told_with_both(tmp_path):
    sentence = refused(tmp_path, ("name", None, b"other"), *TFAAS[1:])
    assert "'other'" in sentence
    assert "'mnist'" in sentence


def test_a_name_that_is_no_text_is_refused(tmp_path):
    assert "UTF-8" in refused(tmp_path, ("name", None, b"\xff"), *TFAAS[1:])


@pytest.mark.parametrize("own", ["..", "", "a\nb", "x" * 201, "é.txt", "/", "a\\"])
def test_a_file_name_that_is_no_plain_one_is_refused(tmp_path, own):
    parts = [*TFAAS, ("variables", own, b"x")]
    assert "not taken" in refused(tmp_path, *parts)


@pytest.mark.parametrize(
    "own",
    [".DS_Store", "Thumbs.db", "m/variables/.ipynb_checkpoints/x", "variables\\._x"],
)
def test_what_programs_leave_in_a_folder_is_passed_over(tmp_path, own):
    parts = [*TFAAS, ("variables", own, b"left"), ("variables", "m/v/x", b"x")]
    files = written(tmp_path, *parts)
    assert [name for name in files if name.startswith("variables/")] == ["variables/x"]


def test_what_is_passed_over_counts(tmp_path):
    parts = [("variables", ".DS_Store", bytes(200)), *TFAAS]
    with pytest.raises(TooLarge):
        written(tmp_path, *parts, max_bytes=200)


@pytest.mark.parametrize("field", ["model", "file"])
def test_a_zip_is_a_bundle(tmp_path, field):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in bundle_files().items():
            archive.writestr(f"mnist/1/{name}", data)
    files = written(tmp_path, (field, "mnist.zip", target.getvalue()))
    assert files == bundle_files()


@pytest.mark.parametrize("field", ["model", "file"])
def test_another_archive_is_told_by_its_kind(tmp_path, field):
    part = (field, "mnist.tar.bz2", bz2.compress(bundle_tar()))
    assert "packed with bzip2" in refused(tmp_path, part, error=ArchiveError)


@pytest.mark.parametrize("own", ["/etc/passwd", "../../passwd", "..\\passwd"])
def test_of_a_path_the_last_component_is_taken(tmp_path, own):
    files = written(
        tmp_path, ("params", "p", BARE), *TFAAS[2:3], ("labels", own, b"0\n")
    )
    assert files["passwd"] == b"0\n"
    assert [path.name for path in tmp_path.iterdir()] == ["staged"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".x"])
def test_params_cannot_name_a_path(tmp_path, name):
    params = json.dumps({"name": "mnist", "labels": name}).encode()
    sentence = refused(tmp_path, ("params", "p", params), *TFAAS[2:], error=BundleError)
    assert "without a folder" in sentence


@pytest.mark.parametrize(
    "params", [b"", b"{", b"[]", b'{"name": 1}', b'{"a": "\\ud800"}']
)
def test_params_that_are_none_are_refused(tmp_path, params):
    parts = [("params", "params.json", params), *TFAAS[2:]]
    assert "params.json" in refused(tmp_path, *parts, error=BundleError)


def test_a_cut_archive_is_refused(tmp_path):
    cut = bundle_tar()[:1500]
    assert "cut short" in refused(tmp_path, ("model", "x", cut), error=ArchiveError)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    assert "not a whole tar" in refused(
        tmp_path, ("file", "x", b"\xff" * 600), error=ArchiveError
    )


def test_bad_base64_is_refused(tmp_path):
    parts = [*TFAAS[:2], ("model", "saved_model.pb", b"!!!!")]
    assert "not base64" in refused(tmp_path, *parts, is_base64=True)


@pytest.mark.parametrize(
    "parts",
    [
        [("model", "m", b"x" * 6), ("labels", "l", b"x" * 5)],
        [("variables", "a", b"x" * 6), ("variables", "b", b"x" * 5)],
    ],
)
def test_all_files_together_are_bounded(tmp_path, parts):
    sentence = refused(tmp_path, *parts, max_bytes=10, error=TooLarge)
    assert "more than 10 bytes" in sentence


def test_an_archive_counts_with_the_other_files(tmp_path):
    archive = bundle_tar()
    parts = [("onnx", "x", b"x" * 100), ("file", "x", archive)]
    limit = len(archive) + 99
    refused(tmp_path, *parts, max_bytes=limit, error=TooLarge)


class Endless:
    """A stream of zeros, which notes how many bytes were asked for at a time."""

    def __init__(self, size):
        self.left = size
        self.asked = []

    def read(self, size, /):
        self.asked.append(size)
        data = bytes(min(size, self.left))
        self.left -= len(data)
        return data


def test_a_large_file_is_never_held_whole(tmp_path):
    stream = Endless(20 << 20)
    parts = [Field("params", "p", io.BytesIO(BARE)), Field("onnx", "x", stream)]
    write_form(parts, tmp_path, is_base64=False, max_bytes=1 << 30)
    assert (tmp_path / "model.onnx").stat().st_size == 20 << 20
    assert max(stream.asked) <= 1 << 20


def test_what_is_too_large_is_not_read_to_its_end(tmp_path):
    stream = Endless(1 << 40)
    with pytest.raises(TooLarge):
        write_form(
            [Field("onnx", "x", stream)], tmp_path, is_base64=False, max_bytes=1 << 20
        )
    assert stream.left > (1 << 40) - (1 << 22)
