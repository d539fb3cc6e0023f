"""The file params.json of a bundle's folder: it is read, and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.bare import bare_name
from bundle.errors import BundleError
from bundle.params import FILE_NAME, Params
from bundle.params_checks import params_from_json

# A params.json is a page of text, so no trainer writes a larger one.
MAX_BYTES = 1 << 20


def read_params(folder: Path) -> Params:
    """Read and check ``params.json`` of a bundle's folder.

    The name of a bare model (``bundle.bare``), which has no params.json, is its
    folder's.

    Raises:
        BundleError: it is missing, is no JSON object, or a field is wrong.
    """
    return params_from_json(read_stored(folder))


def read_stored(folder: Path) -> dict[str, Any]:
    """Read ``params.json`` of a bundle's folder as it is, its fields unchecked.

    For a bare model the content is its name alone.

    Raises:
        BundleError: it is missing, or is no JSON object.
    """
    try:
        with (folder / FILE_NAME).open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if name := bare_name(folder):
            return {"name": name}
        raise BundleError(
            f"{FILE_NAME} is missing, and there is neither saved_model.pb nor"
            " model.onnx, which could be served without it; 'runtime bundle FILE' makes"
            " a bundle of a model's file"
        ) from None
    except OSError as ex:
        raise BundleError(f"{FILE_NAME} cannot be read: {ex.strerror}") from ex
    if len(text) > MAX_BYTES:
        raise BundleError(f"{FILE_NAME} is larger than {MAX_BYTES} bytes")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as ex:
        raise BundleError(
            f"{FILE_NAME} is not JSON: it cannot be read at line {ex.lineno}, column"
            f" {ex.colno}"
        ) from ex
    except (ValueError, RecursionError) as ex:
        raise BundleError(
            f"{FILE_NAME} is not JSON in UTF-8, or is nested too deeply, or has a"
            " number of thousands of digits"
        ) from ex
    if not isinstance(content, dict):
        raise BundleError(f"{FILE_NAME} must hold one JSON object")
    return content


def write_params(folder: Path, params: Params) -> None:
    """Write ``params.json`` into a bundle's folder."""
    write_stored(folder, params.to_json())


def write_stored(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``params.json`` with a content that ``params_from_json`` has taken."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")
