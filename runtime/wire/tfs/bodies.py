"""The JSON bodies of TensorFlow Serving's REST API v1."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class PredictBody(TypedDict):
    """A request for predictions; it has one of the two keys of inputs.

    Attributes:
        signature_name: the name of the signature, ``serving_default``.
        instances: the inputs item by item, in row form.
        inputs: each input as a whole, in column form.
    """

    signature_name: NotRequired[str]
    instances: NotRequired[list[Any]]
    inputs: NotRequired[Any]


class ExamplesBody(TypedDict):
    """A request for classifications or regressions.

    Attributes:
        signature_name: the name of the signature, ``serving_default``.
        context: features that all examples have.
        examples: the features of each item, by name.
    """

    signature_name: NotRequired[str]
    context: NotRequired[dict[str, Any]]
    examples: list[dict[str, Any]]


class RowPredictions(TypedDict):
    """Predictions in row form.

    Attributes:
        predictions: the outputs of each item.
    """

    predictions: list[Any]


class ColumnPredictions(TypedDict):
    """Predictions in column form.

    Attributes:
        outputs: the one output, or all outputs by name.
    """

    outputs: Any


class Results(TypedDict):
    """Classifications or regressions.

    Attributes:
        results: for each item its number, or the label and score of each class.
    """

    results: list[Any]


class StateReason(TypedDict):
    """The reason of a state.

    Attributes:
        error_code: whether it is an error.
        error_message: why the version answers no requests; empty if it does.
    """

    error_code: Literal["OK", "UNAVAILABLE"]
    error_message: str


class VersionState(TypedDict):
    """The state of a version.

    Attributes:
        version: its number.
        state: whether it answers requests.
        status: the reason.
    """

    version: str
    state: Literal["AVAILABLE", "END"]
    status: StateReason


class VersionStates(TypedDict):
    """The states of versions, newest first."""

    model_version_status: list[VersionState]


class Dimension(TypedDict):
    """An axis.

    Attributes:
        size: its length; -1 is a free axis.
        name: always empty.
    """

    size: str
    name: str


class Shape(TypedDict):
    """A shape."""

    dim: list[Dimension]
    unknown_rank: bool


class TensorInfo(TypedDict):
    """An input or an output.

    Attributes:
        dtype: its type, such as ``DT_FLOAT``.
        tensor_shape: its shape.
        name: its name, as a graph of TensorFlow has it.
    """

    dtype: str
    tensor_shape: Shape
    name: str


class Signature(TypedDict):
    """The signature of a model.

    Attributes:
        inputs: the inputs by name.
        outputs: the outputs by name.
        method_name: the kind of the signature.
    """

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method_name: str


class SpecOfModel(TypedDict):
    """The model and the version that answered."""

    name: str
    signature_name: str
    version: str


class SignatureMetadata(TypedDict):
    """A model's one signature.

    Attributes:
        model_spec: the model and the version.
        metadata: the signature by its name, in two maps called ``signature_def``.
    """

    model_spec: SpecOfModel
    metadata: dict[str, dict[str, dict[str, Signature]]]
