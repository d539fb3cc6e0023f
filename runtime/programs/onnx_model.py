"""Checks of an ONNX file: foreign operators, and weights in other files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bundle.errors import BundleError
from bundle.member_names import COMPONENT
from runtime.programs.onnx_pb2 import FunctionProto, ModelProto, NodeProto, TensorProto
from runtime.programs.reading import read, refusal
from runtime.programs.walk import unknown_field, walk

# These domains are ONNX's own, and those that every ONNX Runtime has besides.
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
# In these domains ONNX Runtime has operators that it puts into graphs itself and then
# trusts: no function of a model may have such a name.
_RESERVED = ("ai.onnx.", "com.microsoft.", "com.ms.", "com.xilinx", "org.pytorch.")
# These operators hold or name a program that was made elsewhere.
_PROGRAMS = frozenset(
    {"ATen", "EPContext", "PythonOp", "PythonOpGrad", "Snpe", "TritonOp"}
)
# Other keys tell ONNX Runtime of weights that somebody arranged in memory.
_KEYS = frozenset({"location", "offset", "length", "checksum"})
# These fields hold numbers and texts, which are most of a file's bytes.
_VALUES = tuple(
    field.name
    for field in TensorProto.DESCRIPTOR.fields
    if field.name == "raw_data" or field.name.endswith("_data")
    if field.message_type is None
)


def check_onnx(path: Path, *, trusted: bool = False) -> None:
    """Check an ONNX file.

    Args:
        path: the file; its weights lie beside it.
        trusted: whether every operator and every field is allowed.

    Raises:
        BundleError: an operator is not allowed, weights lie elsewhere, or the file
            cannot be read.
    """
    check_model(read(path, ModelProto()), path, trusted=trusted)


def check_model(model: ModelProto, path: Path, *, trusted: bool) -> None:
    """Check a model that was read. The check destroys the message.

    Args:
        model: the message.
        path: its file.
        trusted: see ``check_onnx``.

    Raises:
        BundleError: see ``check_onnx``.
    """
    # The model's own function consists of other nodes, which are checked. The same is
    # true if it has the name of an ONNX operator, whichever of the two is run.
    functions = list(walk(model, FunctionProto))
    own = {(found.domain, found.name, found.overload) for found in functions}
    for function in functions:
        if not trusted and _is_reserved(function.domain):
            raise refusal(
                path.name,
                f"the function {function.name[:64]!r} is of {function.domain[:64]!r},"
                " which is ONNX Runtime's own",
            )
    for found in walk(model, NodeProto, TensorProto):
        if isinstance(found, TensorProto):
            if found.data_location == TensorProto.EXTERNAL or found.external_data:
                _check_external(path, found)
            for name in _VALUES:
                found.ClearField(name)
        elif not trusted:
            _check_node(found, own, path.name)
    # The engine may be newer than the definitions here, and know the field.
    if not trusted and (field := unknown_field(model)):
        raise refusal(
            path.name,
            f"{field} is not known here, and was written by a newer onnx; it is not"
            " taken from strangers",
        )


def _check_node(node: NodeProto, own: set[tuple[str, str, str]], file: str) -> None:
    if node.domain in _DOMAINS:
        if node.op_type in _PROGRAMS:
            raise refusal(
                file,
                f"the operator {node.op_type!r} (node {node.name[:128]!r}) runs a"
                " program that is not ONNX",
            )
    elif (node.domain, node.op_type, node.overload) not in own:
        raise refusal(
            file,
            f"the operator {node.op_type[:64]!r} is of {node.domain[:64]!r}, whose"
            " operators are not taken from strangers",
        )


def _is_reserved(domain: str) -> bool:
    return domain not in _DOMAINS and f"{domain}.".startswith(_RESERVED)


def _check_external(path: Path, tensor: TensorProto) -> None:
    """Check that weights in another file lie beside the model."""
    # protobuf gives bytes where a text is not UTF-8; such a name is never a file's.
    entries = tensor.external_data
    locations = [str(entry.value) for entry in entries if entry.key == "location"]
    if len(locations) != 1 or not COMPONENT.fullmatch(locations[0]):
        raise BundleError(
            f"{path.name} has weights in {', '.join(locations)[:128]!r}; they must be"
            " in a file of the bundle, beside it"
        )
    for entry in entries:
        if entry.key not in _KEYS:
            raise BundleError(
                f"{path.name} has the key {entry.key[:64]!r} for weights in another"
                f" file; only {', '.join(sorted(_KEYS))} are taken"
            )
    (name,) = locations
    try:
        found = os.lstat(path.with_name(name))
    except OSError as ex:
        raise BundleError(f"{name!r}, with weights of {path.name}, is missing") from ex
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise BundleError(f"{name!r} is not a plain file of the bundle's own")
