"""config.pbtxt: Triton's description of a model, beside the folders of its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundle.bare import CONFIG, SAVED_MODEL_FOLDER, folder_name
from bundle.errors import BundleError
from bundle.pbtxt import read_pbtxt

# A description is a page of text.
MAX_BYTES = 1 << 20

Shape = tuple[int | None, ...]

_KINDS = {int: "a whole number", str: "a text", dict: "a message"}


@dataclass(frozen=True)
class TritonConfig:
    """The part of config.pbtxt that is used; its other fields are passed over.

    Attributes:
        max_batch_size: the most items of one run; 0 if requests must not be joined, and
            None if it is not told.
        inputs: the shape in which the model gets each input that is told, with its
            first axis; None is a free axis.
        outputs: the same for the outputs.
    """

    max_batch_size: int | None = None
    inputs: Mapping[str, Shape] = field(default_factory=dict)
    outputs: Mapping[str, Shape] = field(default_factory=dict)


def read_config(bundle: Path) -> TritonConfig | None:
    """Read the config.pbtxt that describes a bare model; None if there is none.

    Args:
        bundle: the folder of the model's files.

    Raises:
        BundleError: it is damaged, or has the name of another model.
    """
    version = bundle.parent if bundle.name == SAVED_MODEL_FOLDER else bundle
    path = (version.parent if version.name.isdecimal() else version) / CONFIG
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as ex:
        raise BundleError(f"{CONFIG} cannot be read: {ex.strerror}") from ex
    if len(data) > MAX_BYTES:
        raise BundleError(f"{CONFIG} is larger than {MAX_BYTES} bytes")
    try:
        content = read_pbtxt(data.decode(), CONFIG)
    except UnicodeDecodeError as ex:
        raise BundleError(f"{CONFIG} is not a text in UTF-8") from ex
    name = _last(content, "name", str, "")
    if name not in ("", folder_name(bundle)):
        raise BundleError(
            f"{CONFIG}: 'name' is {name[:128]!r}, and the folder's name is"
            f" {folder_name(bundle)!r}; they must be the same"
        )
    size = _last(content, "max_batch_size", int, None)
    if size is not None and size < 0:
        raise BundleError(f"{CONFIG}: 'max_batch_size' is {size}; it must be 0 or more")
    return TritonConfig(
        size, _shapes(content, "input", size), _shapes(content, "output", size)
    )


def _shapes(content: Mapping[str, Any], key: str, size: int | None) -> dict[str, Shape]:
    """Read the shapes of tensors; their dims lack the axis N if there are batches."""
    first: Shape = (None,) if size else ()
    shapes = {}
    for tensor in content.get(key, ()):
        if not isinstance(tensor, dict):
            raise BundleError(f"{CONFIG}: {key!r} must be a message")
        name = _last(tensor, "name", str, "")
        dims = tensor.get("dims", [])
        if not name or not _are_sides(dims):
            raise BundleError(
                f"{CONFIG}: each {key!r} must have a name, and dims of -1 or more"
            )
        reshape = _last(tensor, "reshape", dict, None)
        if reshape is not None:
            # The model has this shape; the dims are those of Triton's requests.
            dims = reshape.get("shape", [])
            if not _are_sides(dims):
                raise BundleError(
                    f"{CONFIG}: 'reshape' of {name[:128]!r} must have a shape of -1 or"
                    " more"
                )
        if dims or reshape is not None:
            shapes[name] = first + tuple(None if n == -1 else n for n in dims)
    return shapes


def _are_sides(dims: list[Any]) -> bool:
    return all(isinstance(n, int) and n >= -1 for n in dims)


def _last(content: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    """Return a field's last value, which counts in protobuf."""
    values = content.get(key)
    if not values:  # an empty list gives no value
        return default
    if not isinstance(values[-1], kind):
        raise BundleError(f"{CONFIG}: {key!r} must be {_KINDS[kind]}")
    return values[-1]
