"""A real service refuses malicious uploads, and its store stays as it was."""

import hashlib
import io
import random
import tarfile

import pytest

from runtime.programs.tensorflow_pb2 import SavedModel
from tests.end_to_end.conftest import CLIENT, PATIENCE, RUNTIME, serving
from tests.examples import linear_onnx, tar_of, write_bundle
from tests.forms import form, png
from tests.runtime.graphs import endless_onnx

BODY, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_bundle(folder / "models" / "linear" / "1")
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        server.folder = folder
        yield server


def digest_of(folder):
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path).encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def member(name, content=b"x", **more):
    found = tarfile.TarInfo(name)
    found.size = len(content) if "type" not in more else 0
    for attribute, value in more.items():
        setattr(found, attribute, value)
    return found, content


def archive(tmp_path, *extra, **bundle):
    """Return the tar of a whole bundle, with extra members that do not belong to it."""
    folder = write_bundle(tmp_path / "linear", **bundle)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        tar.add(folder, "linear")
        for found, content in extra:
            tar.addfile(found, io.BytesIO(content))
    return target.getvalue()


def program(operator):
    model = SavedModel()
    model.meta_graphs.add().graph_def.node.add(name="n", op=operator)
    return model.SerializeToString()


SAVED = [
    member("linear/variables/variables.index"),
    member("linear/variables/variables.data-00000-of-00001"),
]

CASES = {
    "traversal": ([member("linear/../../evil")], 400, "not taken"),
    "absolute": ([member("/etc/evil")], 400, "absolute name"),
    "symlink": (
        [member("linear/x", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        400,
        "a link",
    ),
    "hard link": (
        [member("linear/x", type=tarfile.LNKTYPE, linkname="linear/params.json")],
        400,
        "a link",
    ),
    "device": ([member("linear/x", type=tarfile.CHRTYPE)], 400, "a special file"),
    "pipe": ([member("linear/x", type=tarfile.FIFOTYPE)], 400, "a special file"),
    "sparse": ([member("linear/x", b"", type=b"S")], 400, "a sparse file"),
    "bomb by ratio": (
        [member("linear/zeros", bytes(200 << 20))],
        413,
        "more than 200 times its size",
    ),
    "bomb by count": (
        [member(f"linear/f{n}", b"") for n in range(1001)],
        400,
        "more than 1000 files",
    ),
    "duplicate": ([member("linear/params.json")], 400, "twice"),
    "case-folded duplicate": ([member("linear/PARAMS.json")], 400, "one name"),
    "deep": ([member("linear/" + "a/" * 20 + "x")], 400, "deep"),
    "unicode": ([member("linear/p\u0430rams.json")], 400, "not taken"),
    "right to left": ([member("linear/\u202enosj")], 400, "not taken"),
    "control": ([member("linear/a\nb")], 400, "not taken"),
    "second top folder": ([member("other/x")], 400, "several top folders"),
    "writes files": (
        [member("linear/saved_model.pb", program("WriteFile")), *SAVED],
        422,
        "'WriteFile'",
    ),
    "calls Python": (
        [member("linear/saved_model.pb", program("PyFunc")), *SAVED],
        422,
        "'PyFunc'",
    ),
    "reads files": (
        [member("linear/saved_model.pb", program("ReadFile")), *SAVED],
        422,
        "'ReadFile'",
    ),
}


def upload(server, content, **headers):
    return CLIENT.post(
        f"{server.url}/upload", content=content, headers=headers, timeout=PATIENCE
    )


def check_refused(server, content, status, sentence, before):
    reply = upload(server, content)
    assert (reply.status_code, sentence in reply.text) == (status, True), reply.text
    assert str(server.folder) not in reply.text
    assert digest_of(server.folder / "models") == before
    answer = CLIENT.post(
        f"{server.url}/predict/image", content=BODY, headers=HEADERS, timeout=PATIENCE
    )
    assert answer.json() == [1, 2, 7]
    assert answer.headers["X-Model-Version"] == "1"


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_archive_changes_nothing(served, tmp_path, name):
    extra, status, sentence = CASES[name]
    before = digest_of(served.folder / "models")
    content = archive(tmp_path, *extra)
    check_refused(served, content, status, sentence, before)


@pytest.mark.parametrize(
    ("bundle", "status", "sentence"),
    [
        ({"labels": ("one",)}, 422, "labels.txt names 1 classes"),
        ({"onnx_bytes": linear_onnx()[:200]}, 422, "model.onnx is damaged"),
        ({"params": {"img_channels": 3}}, 422, "'img_channels' is 3"),
        ({"params": {"name": "../linear"}}, 422, "name"),
    ],
)
def test_a_bundle_whose_words_are_not_its_models_changes_nothing(
    served, tmp_path, bundle, status, sentence
):
    before = digest_of(served.folder / "models")
    check_refused(served, archive(tmp_path, **bundle), status, sentence, before)


def test_an_archive_that_is_cut_anywhere_changes_nothing(served, tmp_path):
    before = digest_of(served.folder / "models")
    whole = tar_of(write_bundle(tmp_path / "linear"))
    cuts = {*range(0, len(whole), max(1, len(whole) // 40))}
    cuts |= {random.Random(7).randrange(len(whole)) for _ in range(20)}
    for cut in sorted(cuts):
        reply = upload(served, whole[:cut])
        assert reply.status_code == 400, (cut, reply.text)
    assert digest_of(served.folder / "models") == before


def test_a_gzip_that_holds_nothing_for_ever_ends(tmp_path):
    """Empty blocks of five bytes each give no output, however many there are."""
    write_bundle(tmp_path / "models" / "linear" / "1")
    head = b"\x1f\x8b\x08" + bytes(7)
    with serving(f"{RUNTIME} --workers 1 --max-upload-bytes 1000000", tmp_path) as one:
        reply = upload(one, head + b"\x00\x00\x00\xff\xff" * 300_000)
    assert reply.status_code == 413
    assert "larger than 1000000 bytes" in reply.text


def test_what_would_hang_or_crash_the_service_is_tried_elsewhere(tmp_path):
    """An endless loop, which ONNX can express, runs when a model is warmed."""
    write_bundle(tmp_path / "models" / "linear" / "1")
    command = f"{RUNTIME} --workers 1 --trial-seconds 3"
    with serving(command, tmp_path) as server:
        server.folder = tmp_path
        before = digest_of(tmp_path / "models")
        content = archive(tmp_path / "b", onnx_bytes=endless_onnx())
        check_refused(server, content, 422, "takes longer than 3 s", before)
