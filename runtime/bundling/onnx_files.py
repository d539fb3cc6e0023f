"""The files of an ONNX model: itself, its weights in other files, and its proof."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from bundle.errors import BundleError
from bundle.folder import ONNX
from bundle.manifest import onnx_digest
from bundle.member_names import COMPONENT
from bundle.parity import FILE_NAME as PARITY
from bundle.parity import read_parity
from runtime.admin.errors import AdminError
from runtime.programs.onnx_pb2 import ModelProto, TensorProto
from runtime.programs.reading import read
from runtime.programs.walk import walk


def copy_onnx(path: Path, folder: Path) -> None:
    """Copy an ONNX model into a bundle's folder, under the name ``model.onnx``.

    Its weights keep the names that the model gives them. The exporter's proof comes
    along, if it is of this very file.

    Raises:
        AdminError: a file of weights is missing, or lies in another folder.
        BundleError: the file is no ONNX.
        OSError: a file cannot be copied.
    """
    for name in sorted(set(_weights(path))):
        if not COMPONENT.fullmatch(name) or not path.with_name(name).is_file():
            raise AdminError(
                f"{path.name} has weights in {name[:128]!r}, and there is no such file"
                " beside it"
            )
        shutil.copyfile(path.with_name(name), folder / name)
    shutil.copyfile(path, folder / ONNX)
    proof = path.with_name(PARITY if path.name == ONNX else f"{path.stem}.{PARITY}")
    try:
        parity = read_parity(proof.parent, proof.name)
    except BundleError:  # it is somebody else's file
        return
    if parity is not None and parity.sha256 == onnx_digest(folder / ONNX):
        shutil.copyfile(proof, folder / PARITY)


def _weights(path: Path) -> Iterator[str]:
    for tensor in walk(read(path, ModelProto()), TensorProto):
        for entry in tensor.external_data:
            if entry.key == "location":
                yield str(entry.value)
