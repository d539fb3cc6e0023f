"""Write a description into model.onnx, for people who open it with other tools."""

from __future__ import annotations

import json
from dataclasses import asdict

import onnx

from bundle import __version__
from bundle.folder import Bundle
from bundle.params import Preprocess
from exporter.options import Options
from runtime.backends.onnx import NCHW_INPUTS


def write_metadata(
    model: onnx.ModelProto,
    options: Options,
    bundle: Bundle | None = None,
    version: int | None = None,
) -> None:
    """Write name, version, labels, preprocessing and origin into a model.

    Args:
        model: is changed.
        options: the settings of the conversion.
        bundle: the bundle that it was made from, if there is one.
        version: the version of the bundle, if it lies in a store.
    """
    converter = f"{model.producer_name} {model.producer_version}"
    values = {"exporter": f"tfaas-onnx {__version__}", "converter": converter}
    if options.inputs_as_nchw:
        values[NCHW_INPUTS] = ",".join(options.inputs_as_nchw)
    if bundle is not None:
        values["name"] = bundle.params.name
        if version is not None:
            values["version"] = str(version)
        if bundle.labels:
            values["labels"] = json.dumps(bundle.labels, ensure_ascii=False)
        if bundle.params.preprocess != Preprocess():
            values["preprocess"] = json.dumps(asdict(bundle.params.preprocess))
        model.doc_string = bundle.params.description or bundle.params.name
        model.graph.name = bundle.params.name
    model.producer_name, model.producer_version = "tfaas-onnx", __version__
    onnx.helper.set_model_props(model, values)
