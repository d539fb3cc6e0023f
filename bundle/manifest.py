"""manifest.json: the sha256 of every file that the trainer wrote into a bundle.

It does not list files that came later: model.onnx, its weights, its variants and their
proofs. Their digests stand in the proofs, and a proof is replaced together with them.
It does not list the page of the report either, to which the exporter adds its figures.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bundle.errors import BundleError
from bundle.variants import DATA, EXPORTED

FILE_NAME = "manifest.json"

# Each file has a line of 100 bytes, so no trainer writes a larger manifest.
MAX_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def onnx_digest(path: Path) -> str:
    """Compute one sha256 over an ONNX file and, if there are any, its external data.

    Args:
        path: ``model.onnx``; its external data is ``model.onnx.data``.

    Returns:
        The sha256 of the file itself if there is no such data. Otherwise the sha256 of
        two lines, each with a file's name and sha256.

    Raises:
        OSError: a file cannot be read.
    """
    data = path.with_name(path.name + DATA)
    if not data.is_file():
        return sha256_of(path)
    lines = [f"{file.name} {sha256_of(file)}\n" for file in (path, data)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def source_digest(graph: Path, nodes: tuple[str, ...] = ()) -> str:
    """Compute one sha256 over the source of an ONNX model: graph, weights and nodes.

    Args:
        graph: ``saved_model.pb``, whose weights lie in ``variables/`` beside it, or a
            frozen graph, whose weights are inside.
        nodes: the input and output nodes of a frozen graph; see ``Bundle.nodes``.

    Returns:
        The digest; empty if the graph is not there.

    Raises:
        OSError: a file cannot be read.
    """
    if not graph.is_file():
        return ""
    folder = graph.parent
    weights = sorted((folder / "variables").rglob("*"))
    lines = [
        f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n"
        for path in [graph, *weights]
        if path.is_file()
    ]
    lines += [f"{node}\n" for node in nodes]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_manifest(folder: Path) -> None:
    """Write a manifest.json that lists every file below ``folder`` as it is now.

    It does not list itself, nor the files that the exporter may replace later.
    """
    names = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    digests = {
        name: sha256_of(path)
        for name, path in names.items()
        if name not in (FILE_NAME, *EXPORTED)
    }
    text = json.dumps({"sha256": digests}, indent=2)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def verify_manifest(folder: Path) -> None:
    """Compare a folder with its manifest.json, if it has one.

    Raises:
        BundleError: a listed file is missing, or differs from the one that was written.
    """
    try:
        with (folder / FILE_NAME).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise BundleError(f"{FILE_NAME} is larger than {MAX_BYTES} bytes")
        digests = json.loads(text)["sha256"]
        listed = {str(name): str(digest) for name, digest in digests.items()}
    except FileNotFoundError:
        return
    except (
        OSError,  # it is a folder, or cannot be read
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as ex:
        raise BundleError(f"{FILE_NAME} is not a manifest") from ex
    there = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file()
    }
    for name, digest in listed.items():
        if name not in there:
            shown = name[:200].encode("ascii", "backslashreplace").decode()
            raise BundleError(f"{shown} is missing, and {FILE_NAME} lists it")
        if sha256_of(there[name]) != digest:
            raise BundleError(
                f"{name} is not the file that {FILE_NAME} lists: it was damaged, or"
                f" changed on purpose (then remove {FILE_NAME})"
            )
