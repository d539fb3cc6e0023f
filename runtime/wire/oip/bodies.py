"""The JSON bodies of the Open Inference Protocol v2, with Triton's extensions.

A request is checked by ``head`` and ``tensors``; the types here tell its keys.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

# The parameters of a request, an input or an output: texts, numbers, true or false.
Parameters = dict[str, str | float | bool]


class InputTensor(TypedDict):
    """An input of a request.

    Attributes:
        name: the input's name.
        shape: its shape.
        datatype: the model's type of it, such as ``FP32``, or ``BYTES``.
        parameters: ``binary_data_size`` of a tensor that stands behind the JSON.
        data: its values, nested or flat, row by row.
    """

    name: str
    shape: list[int]
    datatype: str
    parameters: NotRequired[Parameters | None]
    data: NotRequired[Any]


class WantedOutput(TypedDict):
    """An output that a request wants.

    Attributes:
        name: the output's name.
        parameters: ``binary_data`` asks for it as a binary tensor, and
            ``classification`` for so many of its best classes.
    """

    name: str
    parameters: NotRequired[Parameters | None]


class InferenceRequest(TypedDict):
    """A request for an inference.

    Attributes:
        id: the client's id, which the reply repeats.
        inputs: all inputs of the model.
        outputs: the outputs that are sent, in this order; all without it.
        parameters: ``timeout`` in microseconds, and ``binary_data_output``.
    """

    id: NotRequired[str | None]
    inputs: list[InputTensor]
    outputs: NotRequired[list[WantedOutput] | None]
    parameters: NotRequired[Parameters | None]


class OutputTensor(TypedDict):
    """An output of a reply.

    Attributes:
        name: the output's name.
        datatype: its type.
        shape: its shape.
        parameters: ``binary_data_size`` of a tensor that stands behind the JSON.
        data: its values, flat, row by row.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: NotRequired[dict[str, int]]
    data: NotRequired[Any]


class InferenceReply(TypedDict):
    """The reply to an inference.

    Attributes:
        model_name: the model's name, as the request has it.
        model_version: the version that answered.
        id: the request's id.
        outputs: the outputs.
    """

    model_name: str
    model_version: NotRequired[str]
    id: NotRequired[str]
    outputs: list[OutputTensor]


class TensorMetadata(TypedDict):
    """An input or an output of a model.

    Attributes:
        name: its name.
        datatype: its type.
        shape: its shape; -1 is a free axis.
    """

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(TypedDict):
    """A model.

    Attributes:
        name: its name.
        versions: its versions.
        platform: the format that its engine runs.
        inputs: its inputs.
        outputs: its outputs.
    """

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ConfigTensor(TypedDict):
    """An input or an output in a config.

    Attributes:
        name: its name.
        data_type: its type, such as ``TYPE_FP32``.
        dims: its shape, without the axis of a batch; -1 is a free axis.
    """

    name: str
    data_type: str
    dims: list[int]


class ModelConfig(TypedDict):
    """A model in the form of Triton's config.

    Attributes:
        name: its name.
        platform: the format that its engine runs.
        backend: its engine.
        max_batch_size: the most items of a batch; 0 if it takes no batches.
        input: its inputs.
        output: its outputs.
    """

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfigTensor]
    output: list[ConfigTensor]


class Duration(TypedDict):
    """A count, and the time of all together.

    Attributes:
        count: the count.
        ns: the time in nanoseconds.
    """

    count: int
    ns: int


class InferenceStatistics(TypedDict):
    """The counts of a version's requests, and the time of each stage."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class VersionStatistics(TypedDict):
    """The counts of a version since the service began.

    Attributes:
        name: the model's name.
        version: the version.
        inference_count: the items of all its versions.
        execution_count: the runs of all its versions.
        inference_stats: the requests.
        batch_stats: always empty.
    """

    name: str
    version: str
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[Any]


class Statistics(TypedDict):
    """The counts of versions since the service began."""

    model_stats: list[VersionStatistics]


class ServerMetadata(TypedDict):
    """The server.

    Attributes:
        name: its name.
        version: its version.
        extensions: the extensions of the protocol that it has.
    """

    name: str
    version: str
    extensions: tuple[str, ...]


class ServerLive(TypedDict):
    """Whether the server lives."""

    live: bool


class ServerReady(TypedDict):
    """Whether the server should get requests."""

    ready: bool


class ModelReady(TypedDict):
    """Whether a model answers requests."""

    name: str
    ready: bool


class IndexRequest(TypedDict):
    """The versions that the index shall have.

    Attributes:
        ready: whether they are those alone that answer requests.
    """

    ready: NotRequired[bool | None]


class LoadRequest(TypedDict):
    """The body of a request to load or unload a model.

    Attributes:
        parameters: none is offered for loading, and none means anything for unloading.
    """

    parameters: NotRequired[dict[str, Any] | None]


class IndexEntry(TypedDict):
    """A version in the index of the repository.

    Attributes:
        name: the model's name.
        version: the version.
        state: whether it answers requests.
        reason: why it does not; empty if it does.
    """

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str
