"""Load a ``.keras`` or ``.h5`` file as the signature that Keras would serve.

Such a file may hold Python code. None of the code is run: the description in the file
is checked first, and Keras loads the file in its safe mode.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.errors import ExportError, SourceError, first_line
from exporter.sources.inference import export_inference
from runtime.backends.saved_model import Signature, load_signature

_EXPORT_IT = (
    "or load it where its code is at hand, write it with model.export('FOLDER') and"
    " convert FOLDER"
)
# Messages by which Keras 3, or its reader of old files, says that it does not know a
# class.
_UNKNOWN = re.compile(
    r"Could not locate (?:class|function) '([^']+)'|Unknown [^:]+: '([^']+)'"
)

_VERSION = re.compile(r"\d+(\.\d+){0,2}")

# Characters that a scope's name may not have. A scope's name starts with a letter or a
# digit.
_NO_SCOPE = re.compile(r"[^A-Za-z0-9_.:/>-]")


def load_keras(path: Path) -> Signature:
    """Load a file of Keras 3 or Keras 2.

    Returns:
        A backend that answers as ``model.predict``. Its inputs are named as the model's
        input layers, its outputs ``output_0``, … or as in its dictionary.

    Raises:
        SourceError, ExportError: see ``save_keras``.
        BackendError: TensorFlow cannot run the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_keras(path, Path(folder))
        return load_signature(Path(folder))


def save_keras(path: Path, folder: Path) -> None:
    """Write the model of a file of Keras 3 or Keras 2 as a SavedModel.

    The SavedModel answers as ``model.predict``; ``load_keras`` tells its names.

    Args:
        path: the file.
        folder: the folder of the SavedModel.

    Raises:
        SourceError: the file is no Keras file, or holds code: Lambda layers, or classes
            that are not Keras's.
        ExportError: there is no room for the files.
    """
    with _in_small_letters(path) as file:
        _save(file, folder)


def read_keras(path: Path) -> Any:
    """Load the Keras model of a file of Keras 3 or Keras 2, whose ending is small.

    Raises:
        SourceError: see ``save_keras``.
    """
    config, version = _description(path)
    if code := sorted(set(_code(config))):
        raise SourceError(
            f"{path.name} holds Python code, which is not run: {', '.join(code)}; put"
            f" a layer of Keras in its place, {_EXPORT_IT}"
        )
    if version.startswith("3"):
        return _read(path)
    return _translate(path, config, version)


def _save(path: Path, folder: Path) -> None:
    model = read_keras(path)
    _name_as_scopes(model)
    import tensorflow as tf

    try:
        export_inference(model, folder)
    except (ValueError, TypeError) as ex:
        raise SourceError(f"Keras cannot export {path.name}: {_said(ex)}") from ex
    # TensorFlow's message about a full disk has the folder before it and the operator
    # after it.
    except tf.errors.OpError as ex:
        reason = str(ex).rpartition("; ")[2].partition(" [Op:")[0]
        raise ExportError(f"temporary files cannot be written: {reason}") from ex


@contextmanager
def _in_small_letters(path: Path) -> Iterator[Path]:
    """Give the file with a small extension: Keras does not recognize ``MODEL.H5``."""
    ending = path.suffix.lower()
    if path.suffix == ending:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        # A link would not do, because the walls around this process forbid it.
        copy = Path(folder, path.stem + ending)
        shutil.copyfile(path, copy)
        yield copy


def _read(path: Path) -> Any:
    """Load the model of a file of Keras 3."""
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises ValueError and TypeError, and the classes of the file may raise
    # anything.
    except Exception as ex:
        raise SourceError(_why(path, ex)) from ex


def _translate(path: Path, config: Any, version: str) -> Any:
    """Build the model of a file of Keras 2 again, with Keras 3."""
    from exporter.keras2.errors import NotOfKeras, Untranslatable
    from exporter.keras2.file import read

    try:
        return read(path, config)
    except NotOfKeras as ex:
        raise SourceError(_not_of_keras(path, ex.name)) from ex
    except Untranslatable as ex:
        reason = str(ex)
    # Keras raises ValueError, TypeError and errors of its own if a setting is wrong.
    except Exception as ex:
        reason = first_line(ex)
    raise SourceError(
        f"{path.name} was written by Keras {version or '2'}, and Keras 3 cannot load"
        f" it: {reason}; in the Python that wrote it (or in one with the package"
        f" tf_keras) run model = keras.models.load_model('{path.name}') and"
        " model.save('FOLDER', save_format='tf'), and convert FOLDER"
    )


def _name_as_scopes(model: Any) -> None:
    """Give the layers names that TensorFlow can put before the names of its operators.

    Keras accepts any name, also ``my model``, but cannot export a model that has one.
    The names that clients use, of inputs and of a dictionary's outputs, stay.
    """
    for layer in model._flatten_layers():
        if type(layer).__name__ != "InputLayer":
            layer.name = _scope(layer.name)
    for variable in model.variables:
        # A variable gets its name when it is made; only this private attribute can
        # change it.
        variable.value._handle_name = _scope(variable.value._handle_name)


def _scope(name: str) -> str:
    valid = _NO_SCOPE.sub("_", name)
    return valid if valid[0].isalnum() else f"layer{valid}"


def _description(path: Path) -> tuple[Any, str]:
    """The model's description as JSON has it, and the version of its Keras."""
    try:
        if _is_zip(path):
            with zipfile.ZipFile(path) as file:
                config = json.loads(file.read("config.json"))
                return config, _version(json.loads(file.read("metadata.json")))
        import h5py

        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"]), _version(file.attrs)
    except KeyError as ex:
        raise SourceError(
            f"{path.name} holds weights and no model: save the model whole with"
            " model.save('NAME.keras')"
        ) from ex
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as ex:
        raise SourceError(f"{path.name} is not a Keras file") from ex


def _is_zip(path: Path) -> bool:
    """Tell a ``.keras`` file from HDF5 exactly as Keras does."""
    return path.suffix == ".keras" and zipfile.is_zipfile(path)


def _version(told: Any) -> str:
    version = told.get("keras_version", "")
    text = version.decode(errors="replace") if isinstance(version, bytes) else version
    found = _VERSION.match(str(text))
    return found[0] if found else ""


def _code(config: Any) -> Iterator[str]:
    """Find each Lambda layer, and each function that is stored as code elsewhere."""
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
        return _not_of_keras(path, found[1] or found[2])
    return f"Keras cannot load {path.name}: {first_line(ex)}"


def _said(ex: Exception) -> str:
    """The reason without TensorFlow's traceback and Keras's bold letters."""
    bold = re.search("\x1b\\[1m(.+?)\x1b\\[0m", str(ex), re.DOTALL)
    return " ".join(bold[1].split())[:300] if bold else first_line(ex)


def _not_of_keras(path: Path, name: str) -> str:
    return (
        f"{path.name} needs {name!r}, a class or function that is not Keras's; put one"
        f" of Keras in its place, {_EXPORT_IT}"
    )
