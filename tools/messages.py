"""``python -m tools.messages``: copy the definitions of the messages in model files.

It writes runtime/programs/tensorflow.proto and onnx.proto from the installed TensorFlow
and onnx, with all their messages: the service reads whole models, and imports neither
package. Run ``make proto`` afterwards. A test compares the files with the installed
packages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

FOLDER = Path(__file__).resolve().parents[1] / "runtime" / "programs"
PACKAGE = "tfaas.programs"
# Protobuf's own messages are imported and not copied.
FOREIGN = "google.protobuf"

_TYPES = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in (
        *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool"),
        *("string", "bytes", "uint32", "sfixed32", "sfixed64", "sint32", "sint64"),
    )
}
_MESSAGE = FieldDescriptor.TYPE_MESSAGE


def main() -> None:
    """Write both files."""
    import onnx
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel.DESCRIPTOR
    release = f"TensorFlow {tf.__version__}"
    write("tensorflow", text("tensorflow", release, "proto3", saved_model))
    model = onnx.ModelProto.DESCRIPTOR
    write("onnx", text("onnx", f"onnx {onnx.__version__}", "proto2", model))


def write(name: str, content: str) -> None:
    """Write one .proto file."""
    (FOLDER / f"{name}.proto").write_text(content)


def text(name: str, release: str, syntax: str, root: Descriptor) -> str:
    """Make a .proto file with a message and all messages that it may contain."""
    messages, enums, foreign = closure(root)
    blocks = [
        f"// Made by tools/messages.py of {release}.",
        f'syntax = "{syntax}";',
        "\n".join(f'import "{file}";' for file in sorted(foreign)),
        f"package {PACKAGE}.{name};",
        *("\n".join(_enum(enums[key])) for key in sorted(enums)),
        *("\n".join(_message(messages[key], syntax)) for key in sorted(messages)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def closure(
    root: Descriptor,
) -> tuple[dict[str, Descriptor], dict[str, EnumDescriptor], set[str]]:
    """Collect the top-level messages and enums that a message may contain.

    Returns:
        The messages by name, the enums by name, and the files of protobuf's own
        messages.
    """
    messages: dict[str, Descriptor] = {}
    enums: dict[str, EnumDescriptor] = {}
    foreign: set[str] = set()
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        message = waiting.pop()
        if message.full_name in seen:
            continue
        seen.add(message.full_name)
        if message.full_name.startswith(FOREIGN):
            foreign.add(message.file.name)
            continue
        top = message
        while top.containing_type is not None:
            top = top.containing_type
        messages[top.name] = top
        waiting += [top, *top.nested_types]
        for field in message.fields:
            if field.message_type is not None:
                waiting.append(field.message_type)
            enum = field.enum_type
            if enum is not None and enum.containing_type is None:
                enums[enum.name] = enum
    return messages, enums, foreign


def _message(message: Descriptor, syntax: str) -> Iterator[str]:
    yield f"message {message.name} {{"
    for enum in message.enum_types:
        yield from _inside(_enum(enum))
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _inside(_message(nested, syntax))
    own = [oneof for oneof in message.oneofs if not _is_synthetic(oneof)]
    for field in message.fields:
        if field.containing_oneof not in own:
            yield f"  {_label(field, syntax)}{_field(field)};"
    for oneof in own:
        yield f"  oneof {oneof.name} {{"
        for field in oneof.fields:
            yield f"    {_field(field)};"
        yield "  }"
    yield "}"


def _is_synthetic(oneof: Any) -> bool:
    # proto3 puts each optional field into a oneof of this name.
    return len(oneof.fields) == 1 and oneof.name == f"_{oneof.fields[0].name}"


def _inside(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _enum(enum: EnumDescriptor) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    numbers = [value.number for value in enum.values]
    if len(set(numbers)) < len(numbers):
        yield "  option allow_alias = true;"
    for value in enum.values:
        yield f"  {value.name} = {value.number};"
    yield "}"


def _label(field: FieldDescriptor, syntax: str) -> str:
    if _is_map(field):
        return ""
    if field.is_repeated:
        return "repeated "
    if field.is_required:
        return "required "
    is_told = field.has_presence and field.type != _MESSAGE
    return "optional " if syntax == "proto2" or is_told else ""


def _is_map(field: FieldDescriptor) -> bool:
    held = field.message_type
    return held is not None and bool(held.GetOptions().map_entry)


def _field(field: FieldDescriptor) -> str:
    if _is_map(field):
        key, value = (field.message_type.fields_by_name[n] for n in ("key", "value"))
        kind = f"map<{_type(key)}, {_type(value)}>"
    else:
        kind = _type(field)
    return f"{kind} {field.name} = {field.number}"


def _type(field: FieldDescriptor) -> str:
    held = field.message_type or field.enum_type
    if held is None:
        return _TYPES[field.type]
    if held.full_name.startswith(FOREIGN):
        return f".{held.full_name}"
    names = [held.name]
    while held.containing_type is not None:
        held = held.containing_type
        names.insert(0, held.name)
    return ".".join(names)


if __name__ == "__main__":
    main()
