"""The making of a bundle from one file: params.json comes from the model itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bundle.disk import refusal
from bundle.folder import LABELS, ONNX, SIGNATURE
from bundle.manifest import FILE_NAME as MANIFEST
from bundle.manifest import write_manifest
from bundle.model_file import KERAS_MODEL
from bundle.params import MODEL_NAME
from bundle.params_checks import params_from_json
from bundle.params_file import write_params
from bundle.version import Version
from runtime.admin import Description
from runtime.admin.errors import AdminError, WorkFailed
from runtime.admin.local import LocalAdmin
from runtime.admin.parcel import open_parcel
from runtime.bundling.conversion import can_convert, convert, demand_exporter, save
from runtime.bundling.given import WORDS, Given
from runtime.bundling.nodes import find_nodes
from runtime.bundling.onnx_files import copy_onnx
from runtime.bundling.taking import take_channels
from runtime.bundling.wishes import Tell, Wishes
from runtime.config import Config


@dataclass(frozen=True)
class Made:
    """A bundle that was made, and tried where an engine for it is installed.

    Attributes:
        folder: the bundle's folder; its name is the model's.
        version: the description of the bundle as a version of a store; empty if it was
            not tried.
    """

    folder: Path
    version: Description


def check_wishes(given: Given, wishes: Wishes) -> None:
    """Refuse wishes that do not fit the kind of a model.

    Raises:
        AdminError: a wish would do nothing, or the model gets no name.
    """
    if given.kind == "bundle":
        if wishes != Wishes():
            raise AdminError(
                f"{given.path} is a bundle, and its params.json tells its name, labels"
                " and channels; leave those options out, and change params.json in the"
                " folder, or later by POST /params"
            )
        return
    if wishes.signature and given.kind != "saved_model":
        raise AdminError(f"--signature is for a SavedModel, not for {_kind(given)}")
    if (wishes.inputs or wishes.outputs) and given.kind != "frozen_graph":
        raise AdminError(
            f"--inputs and --outputs are for a frozen graph, not for {_kind(given)}"
        )
    if not MODEL_NAME.fullmatch(wishes.name or given.name):
        raise AdminError(
            f"{given.path} gives the model no name; say --name NAME, which has 1 to 128"
            " letters, digits, '_', '-' or '.', and does not begin with '-' or '.'"
        )


def make_bundle(
    given: Given, wishes: Wishes, place: Path, config: Config, tell: Tell
) -> Made:
    """Make the bundle of a model that has no params.json, convert it and try it.

    Args:
        given: the model.
        wishes: the words of the person; see ``check_wishes``.
        place: an empty folder for the bundle and for the trial.
        config: the settings of the trial; its store is not touched.
        tell: is called with each step, and with all that was taken from the model.

    Raises:
        AdminError: the model is no such model, or does not tell all that is needed.
        BundleError: the bundle cannot be served.
        WorkFailed: the exporter crashed, or the disk is full.
    """
    check_wishes(given, wishes)
    name = wishes.name or given.name
    # The name may be any word, also that of a store beside it.
    folder = place / "bundle" / name
    folder.parent.mkdir()
    tell(f"{given.path} is {_kind(given)}; the model's name is {name}")
    try:
        content = _fill(given, wishes, folder, config, tell)
        content = {"name": name, **content}
        if wishes.labels:
            text = "".join(f"{label}\n" for label in wishes.labels)
            (folder / LABELS).write_text(text, encoding="utf-8")
            content["labels"] = LABELS
        if wishes.channels is not None:
            content["img_channels"] = wishes.channels
        if wishes.preprocess:
            content["preprocess"] = wishes.preprocess
        _write(folder, content)
        if not (folder / ONNX).is_file():
            if can_convert():
                tell("converting it, and proving that the ONNX answers the same")
                if reason := convert(folder, config):
                    tell(f"there is no ONNX: {reason}")
            elif find_spec("tensorflow") is None:
                tell(
                    "it is not tried here: neither TensorFlow nor the exporter is there"
                )
                return Made(folder, {})
        version = _try(folder, place / "trial", config, tell)
        if channels := take_channels(wishes, version, tell):
            _write(folder, {**content, "img_channels": channels})
            version = _try(folder, place / "again", config, tell)
    except OSError as ex:
        why = refusal(ex, "set TMPDIR to another folder")
        raise WorkFailed(f"the bundle cannot be written: {why}") from ex
    return Made(folder, version)


def _kind(given: Given) -> str:
    return WORDS[given.kind]


def _fill(
    given: Given, wishes: Wishes, folder: Path, config: Config, tell: Tell
) -> dict[str, Any]:
    """Put the model's files into the bundle; return what params.json must tell."""
    if given.kind == "keras":
        tell("writing it as a SavedModel")
        save(given.path, folder, config)
        if given.path.suffix.lower() == ".keras":
            shutil.copyfile(given.path, folder / KERAS_MODEL)
        return {}
    folder.mkdir()
    if given.kind == "frozen_graph":
        return _fill_with_graph(given.path, wishes, folder, config, tell)
    if given.kind == "saved_model" and wishes.signature not in ("", SIGNATURE):
        options = ("--signature", wishes.signature)
        _convert_part(
            given.path, f"--signature {wishes.signature}", options, folder, config, tell
        )
    elif given.path.is_dir():
        for name, path in Version("", 0, given.path, ()).files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    else:
        copy_onnx(given.path, folder)
    return {}


def _fill_with_graph(
    path: Path, wishes: Wishes, folder: Path, config: Config, tell: Tell
) -> dict[str, Any]:
    inputs, outputs = find_nodes(path, wishes.inputs, wishes.outputs)
    tell(f"its input is {', '.join(inputs)}, its output {', '.join(outputs)}")
    if len(inputs) == len(outputs) == 1:
        shutil.copyfile(path, folder / path.name)
        nodes = {"input_node": inputs[0], "output_node": outputs[0]}
        return {"model": path.name, **nodes}
    # The service runs a frozen graph of one input and one output, and any ONNX.
    options = ("--inputs", ",".join(inputs), "--outputs", ",".join(outputs))
    _convert_part(
        path, "a frozen graph of several nodes", options, folder, config, tell
    )
    return {}


def _convert_part(
    path: Path,
    what: str,
    options: Sequence[str],
    folder: Path,
    config: Config,
    tell: Tell,
) -> None:
    """Fill the bundle with the ONNX of a part that TensorFlow cannot serve.

    Raises:
        AdminError: the exporter is not installed, or the part cannot be converted.
    """
    demand_exporter(what)
    tell("converting it, and proving that the ONNX answers the same")
    if reason := convert(path, config, options, folder):
        raise AdminError(reason)


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    write_params(folder, params_from_json(content))
    (folder / MANIFEST).unlink(missing_ok=True)
    write_manifest(folder)


def _try(folder: Path, store: Path, config: Config, tell: Tell) -> Description:
    """Publish the bundle in a store of its own, as the service does; describe it."""
    tell("trying it")
    admin = LocalAdmin(replace(config, model_dir=store))
    with open_parcel(folder) as parcel:
        published = admin.publish(parcel)
    return admin.version(published["name"], published["version"])
