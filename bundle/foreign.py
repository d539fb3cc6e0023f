"""Files of kinds that are not taken, recognized by their first bytes."""

from __future__ import annotations

import codecs

GZIP = b"\x1f\x8b"

_MAKE = "make it with: tar cfz NAME.tar.gz NAME"

# The formats' own descriptions name these bytes.
PACKED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"]\x00\x00": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress",
    b"LZIP": "lzip",
}
ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar"}

_DOCUMENTS = {
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF-": "a PDF document",
}
HDF5 = b"\x89HDF\r\n\x1a\n"
_TFLITE = b"TFL3"  # after the offset of the root table


def told_by(head: bytes, *, only_archives: bool = False) -> str:
    """Say what a file is in place of an archive that is taken; empty if unknown.

    Args:
        head: its first bytes, 512 or all.
        only_archives: recognize no models, pictures and texts.
    """
    kinds = {
        **{magic: f"packed with {kind}" for magic, kind in PACKED.items()},
        **{magic: f"a {kind} archive" for magic, kind in ARCHIVES.items()},
    }
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return (
                f"this is {kind}, which is not taken; send a tar, gzipped or not, or a"
                f" zip: {_MAKE}"
            )
    if only_archives:
        return ""
    return _model_told_by(head) or _document_told_by(head)


def keras_file() -> str:
    """Say that a file is a Keras file."""
    return _model_alone("a Keras file")


def _model_told_by(head: bytes) -> str:
    if head.startswith(HDF5):
        return keras_file()
    if head[4:8] == _TFLITE:
        return (
            "this is a TensorFlow Lite model, which is not served; send a bundle"
            f" with a SavedModel or model.onnx: {_MAKE}"
        )
    # Both messages begin with a number, and go on with a field that has a length. The
    # number is the version of ONNX's format (3 and above), or 1 in a SavedModel.
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a"):
        if head[1] == 1:
            return _model_alone("a SavedModel's graph", "FOLDER")
        if head[1] < 0x80:
            return _model_alone("an ONNX model")
    return ""


def _document_told_by(head: bytes) -> str:
    put = "the model's files"
    for magic, kind in _DOCUMENTS.items():
        if head.startswith(magic):
            return _in_place_of_a_bundle(kind, put)
    if head.lstrip()[:1] in (b"{", b"["):
        return _in_place_of_a_bundle("a text, perhaps JSON", put)
    return _in_place_of_a_bundle("a text", put) if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character >= " " or character in "\t\n\f\r" for character in text)


def _model_alone(is_: str, given: str = "FILE") -> str:
    return (
        f"this is {is_}, and no archive of a bundle: make the bundle and send it with:"
        f" runtime models push {given} --name NAME --server URL"
    )


def _in_place_of_a_bundle(is_: str, put: str) -> str:
    return (
        f"this is {is_}, and no archive of a bundle: put {put} into a folder with the"
        " model's name, and send it as an archive: tar cfz NAME.tar.gz NAME"
    )
