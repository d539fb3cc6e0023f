"""A bare model: a folder with a model and no params.json.

TFaaS's own example, TensorFlow Serving and Triton keep models so: as ``NAME/``, as
``NAME/1/`` or, where Triton serves a SavedModel, as ``NAME/1/model.savedmodel/``. The
folder's name is the model's name. All else that params.json could tell stays unknown.
"""

from __future__ import annotations

from pathlib import Path

from bundle.variants import onnx_file

# Triton's name for the folder of a SavedModel inside a version.
SAVED_MODEL_FOLDER = "model.savedmodel"

# Triton's description of a model, in the folder of its versions.
CONFIG = "config.pbtxt"

# A folder that has one of these files holds a model that needs no params.json. A frozen
# graph has no signature, so its nodes must be named.
MODELS = ("saved_model.pb", onnx_file())


def bare_name(folder: Path) -> str:
    """Return the name of the bare model in a folder; empty if there is none."""
    has_model = any((folder / name).is_file() for name in MODELS)
    return folder_name(folder) if has_model else ""


def folder_name(folder: Path) -> str:
    """Return the name that a folder gives to its model.

    A version's number, and Triton's ``model.savedmodel``, are no part of the name.
    """
    named = folder.absolute()
    if named.name == SAVED_MODEL_FOLDER:
        named = named.parent
    return named.parent.name if named.name.isdecimal() else named.name
