"""A ``.keras`` or ``.h5`` file -> the signature that Keras would serve.

Such a file may hold Python code. None of it is run: the file's description is looked
through first, and Keras loads it in its safe mode.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exporter.errors import ExportError, SourceError, first_line
from runtime.backends.saved_model import Signature, load_signature

_EXPORT_IT = (
    "or load it where its code is at hand, write it with model.export('FOLDER') and"
    " convert FOLDER"
)
# How Keras 3 and its reader of old files say that a class is not theirs.
_UNKNOWN = re.compile(
    r"Could not locate (?:class|function) '([^']+)'|Unknown [^:]+: '([^']+)'"
)

# What the name of a scope may not have; it begins with a letter or a digit.
_NO_SCOPE = re.compile(r"[^A-Za-z0-9_.:/>-]")


def load_keras(path: Path) -> Signature:
    """Load a Keras file.

    Returns:
        What ``model.export`` makes of it: inputs named as the model's input layers,
        outputs ``output_0``, … or by the names of its dictionary.

    Raises:
        SourceError: it is no Keras file, or holds code: Lambda layers, classes of
            one's own.
        BackendError: TensorFlow cannot run it.
        ExportError: there is no room for temporary files.
    """
    if code := sorted(set(_code(_config(path)))):
        raise SourceError(
            f"{path.name} holds Python code, which is not run: {', '.join(code)}; put"
            f" a layer of Keras in its place, {_EXPORT_IT}"
        )
    import keras
    import tensorflow as tf

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises ValueError, TypeError and whatever the classes of the file do.
    except Exception as ex:
        raise SourceError(_why(path, ex)) from ex
    _name_as_scopes(model)
    try:
        with tempfile.TemporaryDirectory() as folder:
            model.export(folder, verbose=False)
            return load_signature(Path(folder))
    except (ValueError, TypeError) as ex:
        raise SourceError(f"Keras cannot export {path.name}: {first_line(ex)}") from ex
    # Of a disk that is full: with the folder before it and the operator behind.
    except tf.errors.OpError as ex:
        reason = str(ex).rpartition("; ")[2].partition(" [Op:")[0]
        raise ExportError(f"temporary files cannot be written: {reason}") from ex


def _name_as_scopes(model: Any) -> None:
    """Let layers have names that TensorFlow can put before those of its operators.

    Keras takes any, ``my model`` too, and cannot export what has one. What a client
    says, the names of inputs and of a dictionary's outputs, stays.
    """
    for layer in model._flatten_layers():
        if type(layer).__name__ != "InputLayer":
            layer.name = _scope(layer.name)
    for variable in model.variables:
        # It was named as it was made, and its name cannot be changed but here.
        variable.value._handle_name = _scope(variable.value._handle_name)


def _scope(name: str) -> str:
    valid = _NO_SCOPE.sub("_", name)
    return valid if valid[0].isalnum() else f"layer{valid}"


def _config(path: Path) -> Any:
    """The description of the model, as JSON has it."""
    try:
        # Keras goes by the name, and never by what a file of two kinds begins with.
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as file:
                return json.loads(file.read("config.json"))
        import h5py

        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"])
    except KeyError as ex:
        raise SourceError(
            f"{path.name} holds weights and no model: save the model whole with"
            " model.save('NAME.keras')"
        ) from ex
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as ex:
        raise SourceError(f"{path.name} is not a Keras file") from ex


def _code(config: Any) -> Iterator[str]:
    """Each Lambda layer, and each function that is written out as code elsewhere."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            kind, inner = item.get("class_name"), item.get("config")
            if kind == "Lambda":
                name = inner.get("name") if isinstance(inner, dict) else None
                yield f"the Lambda layer {str(name)[:64]!r}"
                continue
            if kind == "__lambda__":
                yield "a lambda"
            waiting += item.values()


def _why(path: Path, ex: Exception) -> str:
    if found := _UNKNOWN.search(str(ex)):
        return (
            f"{path.name} needs {found[1] or found[2]!r}, a class or function that is"
            f" not Keras's; put one of Keras in its place, {_EXPORT_IT}"
        )
    return f"Keras cannot load {path.name}: {first_line(ex)}"
