"""TensorFlow Serving's messages of gRPC as requests and answers, without a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.json_format import ParseDict
from numpy.typing import NDArray

from bundle.spec import ModelSpec
from runtime.backends.tensors import check_inputs, check_names
from runtime.errors import InvalidInput
from runtime.models.model import Model
from runtime.prediction.answers import Outputs
from runtime.prediction.images import MOST_PICTURES
from runtime.programs.tensorflow_pb2 import DataType, TensorProto
from runtime.wire.content import texts_of
from runtime.wire.tfs import serving_pb2 as pb
from runtime.wire.tfs.datatypes import datatype_of
from runtime.wire.tfs.metadata import metadata_of, status_of
from runtime.wire.tfs.tensors import read_tensor, write_tensor
from runtime.wire.tfs.text import SIGNATURE, check_signature

# The metadata that TensorFlow Serving has, and the message in which it stands.
_METADATA = "signature_def"
_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_NAME = 128


class PredictMessage(NamedTuple):
    """The request for a prediction.

    Attributes:
        signature: the name of the signature; empty for the default one.
        inputs: the message of each input, by the input's name.
        wanted: the outputs that it wants; empty if it wants all.
    """

    signature: str
    inputs: Mapping[str, TensorProto]
    wanted: tuple[str, ...]

    def arrays_for(self, model: Model) -> dict[str, NDArray[Any]]:
        """Make the arrays of all inputs of a model.

        Returns:
            An array of each input's shape and dtype, by the input's name; texts are
            ``str``.

        Raises:
            InvalidInput, ShapeError: the request does not fit the model.
        """
        specs = model.backend.inputs
        check_names(specs, self.inputs)
        self._check_wanted([spec.name for spec in model.backend.outputs])
        arrays = {}
        for spec in specs:
            tensor = self.inputs[spec.name]
            wanted = datatype_of(spec.dtype)
            if tensor.dtype != DataType.Value(wanted):
                raise InvalidInput(
                    f"input {spec.name!r} is {DataType.Name(tensor.dtype)} and the"
                    f" model takes {wanted}"
                    if tensor.dtype in DataType.values()
                    else f"input {spec.name!r} is of no type of TensorFlow"
                )
            array = read_tensor(spec.name, tensor)
            arrays[spec.name] = (
                texts_of(f"input {spec.name!r}", array)
                if array.dtype.kind == "O"
                else array
            )
        check_inputs(specs, arrays)
        return arrays

    def files_for(self, model: Model) -> Sequence[bytes] | None:
        """Return encoded pictures, if the request has some and the model takes images.

        None means that ``arrays_for`` makes its inputs.

        Raises:
            InvalidInput: the request asks for a signature that the model has not, or
                for too many pictures.
        """
        check_signature(self.signature, "predict")
        specs = model.backend.inputs
        if not model.img_channels or specs[0].dtype.kind == "O":
            return None
        name = specs[0].name
        if self.inputs.keys() != {name}:
            return None
        tensor = self.inputs[name]
        if tensor.dtype != DataType.DT_STRING:
            return None
        self._check_wanted([model.output.name])
        files: list[bytes] = read_tensor(name, tensor).ravel().tolist()
        if not 0 < len(files) <= MOST_PICTURES:
            raise InvalidInput(
                f"input {name!r} holds {len(files)} pictures; send 1 to {MOST_PICTURES}"
            )
        return files

    def _check_wanted(self, names: list[str]) -> None:
        """Check that a model has all outputs that the request wants, once each."""
        for place, name in enumerate(self.wanted):
            if name not in names:
                raise InvalidInput(
                    "output tensor alias not found in signature:"
                    f" {name[:_NAME]} Outputs expected to be in the set"
                    f" {{{','.join(sorted(names))}}}."
                )
            if name in self.wanted[:place]:
                raise InvalidInput(f"duplicate output tensor alias: {name[:_NAME]}")


def spec_of(message: Any) -> ModelSpec:
    """Return the model, and perhaps the version or the label, that a request names.

    Args:
        message: a request, with a field ``model_spec``.

    Raises:
        InvalidInput: it names no model, or a version that is none.
    """
    if not message.HasField("model_spec"):
        raise InvalidInput("Missing ModelSpec")
    spec: pb.ModelSpec = message.model_spec
    match spec.WhichOneof("version_choice"):
        case "version":
            if spec.version.value < 0:
                raise InvalidInput(f"{spec.version.value} is no version's number")
            return ModelSpec(spec.name, spec.version.value)
        case "version_label":
            return ModelSpec(spec.name, None, spec.version_label)
    return ModelSpec(spec.name)


def read_predict_message(message: pb.PredictRequest) -> PredictMessage:
    """Read the message of a request for a prediction."""
    return PredictMessage(
        message.model_spec.signature_name,
        dict(message.inputs),
        tuple(message.output_filter),
    )


def write_predict_message(
    name: str, request: PredictMessage, answer: Outputs
) -> pb.PredictResponse:
    """Make the message with the outputs that a request wants.

    Args:
        name: the model's name, as the request has it.
        request: the request.
        answer: all outputs, as the engine gave them.

    Raises:
        InvalidInput: a message has no field for an output's dtype.
    """
    message = pb.PredictResponse(model_spec=_spec(name, answer.version))
    message.model_spec.signature_name = request.signature or SIGNATURE
    for output in request.wanted or answer.outputs:
        array = np.asarray(answer.outputs[output], order="C")
        write_tensor(output, array, message.outputs[output])
    return message


def check_fields(fields: Sequence[str]) -> None:
    """Check the names of the metadata that a request asks for.

    Raises:
        InvalidInput: there is none, or an unknown one.
    """
    if not fields:
        raise InvalidInput(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in fields:
        if field != _METADATA:
            raise InvalidInput(f"Metadata field {field[:_NAME]} is not supported")


def write_metadata(name: str, model: Model) -> pb.GetModelMetadataResponse:
    """Make the message with a model's one signature."""
    signatures = metadata_of(name, model)["metadata"][_METADATA]
    message = pb.GetModelMetadataResponse(model_spec=_spec(name, model.version))
    packed = message.metadata[_METADATA]
    packed.type_url = _TYPE_URL
    packed.value = ParseDict(signatures, pb.SignatureDefMap()).SerializeToString()
    return message


def write_status(states: Iterable[tuple[int, str]]) -> pb.GetModelStatusResponse:
    """Make the message with the states of versions; see ``status_of``."""
    message = pb.GetModelStatusResponse()
    ParseDict(status_of(states), message)
    return message


def _spec(name: str, version: int | None) -> pb.ModelSpec:
    spec = pb.ModelSpec(name=name)
    if version is not None:
        spec.version.value = version
    return spec
