from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bundle.errors import BundleError
from bundle.manifest import (
    onnx_digest,
    sha256_of,
    source_digest,
    verify_manifest,
    write_manifest,
)
from tests.bundle.making import write_bundle

# The values come from FIPS 180-2, appendix B.1, and the well-known digest of no bytes.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_digest_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "nothing").write_bytes(b"")
    assert sha256_of(tmp_path / "abc") == ABC
    assert sha256_of(tmp_path / "nothing") == NOTHING


def test_manifest_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 40)  # a terabyte of zeros takes no room on the disk
    with pytest.raises(BundleError, match="larger than 1048576 bytes"):
        verify_manifest(tmp_path)


def test_manifest_lists_every_file_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / "b" / "f").write_bytes(b"abc")
    (tmp_path / "g").write_bytes(b"")
    write_manifest(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == {
        "sha256": {"a/b/f": ABC, "g": NOTHING}
    }


def test_manifest_written_twice_does_not_list_itself(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    write_manifest(tmp_path)
    (tmp_path / "labels.txt").write_bytes(b"abc")
    write_manifest(tmp_path)
    verify_manifest(tmp_path)


def test_folder_without_a_manifest_is_not_compared(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    verify_manifest(tmp_path)


def test_files_that_came_later_are_no_damage(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    write_manifest(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"later")
    verify_manifest(tmp_path)


@pytest.mark.parametrize("name", ["labels.txt", "variables/variables.index"])
def test_one_changed_bit_is_found(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path)
    write_manifest(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[-1] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"^{name} is not the file that manifest"):
        verify_manifest(tmp_path)


@pytest.mark.parametrize("name", ["labels.txt", "variables/variables.index"])
def test_missing_file_is_found(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path)
    write_manifest(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BundleError, match=f"^{name} is missing, and manifest"):
        verify_manifest(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "variables", "."])
def test_manifest_reaches_no_file_but_the_bundles(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "bundle"
    write_bundle(folder)
    (tmp_path / "outside").write_bytes(b"abc")
    content = {"sha256": {name: ABC}}
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="is missing, and manifest"):
        verify_manifest(folder)


@pytest.mark.parametrize(
    "data",
    [
        *[b"", b"{", b"[]", b"null", b"1", b"{}", b"\xff", b"[" * 100_000],
        *[b'{"sha256": []}', b'{"sha256": null}', b'{"sha256": "x"}'],
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(BundleError, match=r"manifest\.json is not a manifest"):
        verify_manifest(tmp_path)


def test_manifest_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(BundleError, match=r"manifest\.json is not a manifest"):
        verify_manifest(tmp_path)


def test_refusal_of_a_hostile_name_can_be_sent(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"sha256": {"\\ud800": "0"}}')
    with pytest.raises(BundleError) as caught:
        verify_manifest(tmp_path)
    str(caught.value).encode()


def test_digest_of_a_saved_model_is_that_of_its_graph_and_weights(
    tmp_path: Path,
) -> None:
    """sha256sum gave it for lines of each file's name and its digest, ABC."""
    (tmp_path / "saved_model.pb").write_bytes(b"abc")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"abc")
    expected = "3f08c2f127e77ba1981e6a348c0cbcd1d1f704a959630438a272907eb243e019"
    assert source_digest(tmp_path / "saved_model.pb") == expected
    (tmp_path / "labels.txt").write_text("no part of it")
    assert source_digest(tmp_path / "saved_model.pb") == expected
    (tmp_path / "variables" / "variables.index").write_bytes(b"abd")
    assert source_digest(tmp_path / "saved_model.pb") != expected


def test_digest_of_a_frozen_graph_is_that_of_its_file_and_nodes(tmp_path: Path) -> None:
    """sha256sum gives it for the lines ``graph.pb ABC``, ``x`` and ``y``."""
    (tmp_path / "graph.pb").write_bytes(b"abc")
    expected = "2806ae19ebe68032d0a52edfe62b71462777f503fccb570cab2bae1ab90b1ea1"
    assert source_digest(tmp_path / "graph.pb", ("x", "y")) == expected


def test_digest_of_no_saved_model_is_empty(tmp_path: Path) -> None:
    assert source_digest(tmp_path / "saved_model.pb") == ""


@pytest.mark.parametrize(
    "name",
    [
        *("model.onnx", "model.fp16.onnx", "model.int8.onnx"),
        *("parity.json", "parity.fp16.json", "parity.int8.json"),
    ],
)
def test_what_the_exporter_replaces_is_not_listed(tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path)
    (tmp_path / name).write_bytes(b"first")
    write_manifest(tmp_path)
    (tmp_path / name).write_bytes(b"second")
    verify_manifest(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "model.onnx",
        "model.onnx.data",
        "parity.json",
        "model.int8.onnx",
        "parity.fp16.json",
    ],
)
def test_what_the_exporter_replaces_is_never_listed(tmp_path: Path, name: str) -> None:
    (tmp_path / "labels.txt").write_text("a")
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / name, tmp_path / "sub" / name):
        path.write_text("now")
    write_manifest(tmp_path)
    listed = json.loads((tmp_path / "manifest.json").read_bytes())["sha256"]
    assert sorted(listed) == ["labels.txt", f"sub/{name}"]
    (tmp_path / name).write_text("later")
    verify_manifest(tmp_path)


def test_the_digest_of_an_onnx_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"abc")
    assert onnx_digest(tmp_path / "model.onnx") == ABC


def test_the_digest_of_an_onnx_with_data_is_of_both(tmp_path: Path) -> None:
    """sha256sum gives it for two lines, each of a file's name and its digest."""
    model, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    model.write_bytes(b"abc")
    data.write_bytes(b"")
    lines = f"model.onnx {ABC}\nmodel.onnx.data {NOTHING}\n"
    assert onnx_digest(model) == hashlib.sha256(lines.encode()).hexdigest()
