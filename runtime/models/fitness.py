"""Checks whether a bundle's params.json, labels and two engines fit each other."""

from __future__ import annotations

import math

from bundle.bare import CONFIG
from bundle.errors import BundleError, ShapeError
from bundle.folder import Bundle
from bundle.triton import Shape, TritonConfig
from runtime.backends import Backend, TensorSpec
from runtime.errors import BackendError


def check(bundle: Bundle, backend: Backend) -> TensorSpec:
    """Check that a bundle's files fit its engine, and return its main output.

    Raises:
        BundleError: params.json, config.pbtxt or the labels do not fit.
    """
    output = main_output(bundle, backend.outputs)
    check_labels(bundle, output, may_lack=bundle.frozen_graph is not None)
    check_features(bundle.params.features, backend.inputs)
    if bundle.config:
        check_config(bundle.config, backend.inputs, backend.outputs)
    return output


def main_output(bundle: Bundle, outputs: tuple[TensorSpec, ...]) -> TensorSpec:
    """Return the output that answers predictions of images; params.json names it.

    Raises:
        BundleError: there are several outputs, and params.json names none of them.
    """
    named = {spec.name: spec for spec in outputs}
    wanted = bundle.params.output_node
    if wanted in named:
        return named[wanted]
    # In TFaaS's own bundles this is a node of the graph, and they have one output.
    if wanted and len(outputs) > 1:
        raise BundleError(
            f"params.json: 'output_node' is {wanted!r} and the model's outputs are"
            f" {', '.join(named)}"
        )
    return outputs[0]


def check_labels(bundle: Bundle, output: TensorSpec, *, may_lack: bool) -> None:
    """Check that there are as many labels as classes.

    A wrong labels.txt would give the right answer a wrong name. Frozen graphs often
    have a few more classes than labels, and TFaaS serves them.

    Args:
        bundle: the bundle with the labels.
        output: the output that gives the scores.
        may_lack: whether there may be fewer labels than classes.

    Raises:
        BundleError: the numbers differ.
    """
    labels = len(bundle.labels)
    classes = output.shape[-1] if output.shape else None
    if may_lack and classes is not None and labels < classes:
        return
    # One score decides between two classes.
    if labels and classes not in (None, labels) and (classes, labels) != (1, 2):
        raise BundleError(
            f"{bundle.params.labels} names {labels} classes and the model has {classes}"
        )


def img_channels(
    bundle: Bundle, inputs: tuple[TensorSpec, ...], output: TensorSpec
) -> int:
    """Return the channels of the images that a model takes; 0 if it takes none.

    params.json tells them. TFaaS's early ones do not, and then the input tells. A model
    that could never answer an image is refused before it serves.

    Raises:
        BundleError: params.json promises something that the model cannot do.
    """
    channels = bundle.params.img_channels
    if channels:
        if problem := _problem_with_images(channels, inputs, output):
            raise BundleError(
                f"params.json: 'img_channels' is {channels}, and {problem}; 0 is for"
                " models that take no images"
            )
        return channels
    if bundle.frozen_graph is None or "img_channels" in bundle.params.stored:
        return 0
    return channels_of(inputs, output)


def channels_of(inputs: tuple[TensorSpec, ...], output: TensorSpec) -> int:
    """Return the channels of the images that a model takes, by its input's shape.

    Returns:
        1 or 3; 0 if the shape is not that of gray or colour images.
    """
    for channels in (1, 3):
        if not _problem_with_images(channels, inputs, output):
            return channels
    return 0


def _problem_with_images(
    channels: int, inputs: tuple[TensorSpec, ...], output: TensorSpec
) -> str:
    """Tell why no image of so many channels can be answered; empty if one can."""
    if len(inputs) != 1:
        return f"the model has {len(inputs)} inputs"
    if len(inputs[0].shape) != 4:
        return f"the input has {len(inputs[0].shape)} axes, not (N, H, W, C)"
    if inputs[0].dtype.kind not in "fiu":
        return f"the input is {inputs[0].dtype}"
    if inputs[0].shape[3] != channels:
        return f"the model takes {inputs[0].shape[3] or 'any number of'} channels"
    if output.dtype.kind not in "fiub":
        return f"the output is {output.dtype}"
    if not output.shape:
        return "the output is one number for a whole batch"
    return ""


def check_same_tensors(preferred: Backend, fallback: Backend) -> None:
    """Check that both engines have the same tensors.

    A model.onnx that was made elsewhere may give its tensors any names.

    Raises:
        BackendError: the fallback has other tensors.
    """
    for ours, theirs in (
        (preferred.inputs, fallback.inputs),
        (preferred.outputs, fallback.outputs),
    ):
        if {(s.name, s.dtype) for s in ours} != {(s.name, s.dtype) for s in theirs}:
            raise BackendError("the TensorFlow model has other tensors than model.onnx")


def check_features(features: tuple[str, ...], specs: tuple[TensorSpec, ...]) -> None:
    """Check that a model takes rows of the values that params.json names.

    Raises:
        BundleError: it takes other rows.
    """
    if not features:
        return
    if not takes_rows(specs):
        _check_names(features, specs)
        return
    try:
        check_width(specs[0], len(features))
    except ShapeError as ex:
        raise BundleError(
            f"params.json: 'features' does not fit the model: {ex}"
        ) from ex


def _check_names(features: tuple[str, ...], specs: tuple[TensorSpec, ...]) -> None:
    if not takes_named_values(specs):
        raise BundleError(
            "params.json: 'features' are for a model with one input of numbers, or with"
            " inputs that take one value of an item each"
        )
    names = [spec.name for spec in specs]
    if sorted(features) != sorted(names):
        raise BundleError(
            "params.json: 'features' must name the model's inputs, each once:"
            f" {', '.join(names)}"
        )


def check_config(
    config: TritonConfig,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> None:
    """Check that a model has the inputs and outputs that its config.pbtxt describes.

    Raises:
        BundleError: it lacks one of them, or has it in another shape.
    """
    for what, described, specs in (
        ("input", config.inputs, inputs),
        ("output", config.outputs, outputs),
    ):
        named = {spec.name: spec.shape for spec in specs}
        for name, shape in described.items():
            if name not in named:
                raise BundleError(
                    f"{CONFIG} names the {what} {name[:128]!r}, and the model's"
                    f" {what}s are {', '.join(named)}"
                )
            # Triton completes a description without max_batch_size by the model.
            told = [shape, (None, *shape)] if config.max_batch_size is None else [shape]
            if not any(_may_be_same(shape, named[name]) for shape in told):
                raise BundleError(
                    f"{CONFIG} gives the {what} {name[:128]!r} the shape"
                    f" {list(shape)}, and the model has {list(named[name])}"
                )


def _may_be_same(one: Shape, other: Shape) -> bool:
    """Tell whether two shapes agree; None is a free axis and agrees with any length."""
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def takes_rows(specs: tuple[TensorSpec, ...]) -> bool:
    """Tell whether a row of numbers fits the model in just one way.

    The model then has one input, and its items have at most one free axis, whose size
    follows from the length of the row.
    """
    if len(specs) != 1:
        return False
    (spec,) = specs
    item = spec.shape[1:]
    return bool(spec.shape) and spec.dtype.kind in "fiu" and item.count(None) <= 1


def takes_named_values(specs: tuple[TensorSpec, ...]) -> bool:
    """Tell whether each input takes one value of an item, as a column of a table.

    Then a row gives each input the value of its name: ``(N,)`` or ``(N, 1)``.
    """
    return all(
        spec.dtype.kind in "fiubO" and spec.shape and spec.shape[1:] in ((), (1,))
        for spec in specs
    )


def check_width(spec: TensorSpec, width: int) -> None:
    """Check that a row of ``width`` values fills an item of an input.

    Raises:
        ShapeError: it does not.
    """
    item = spec.shape[1:]
    known = math.prod([n for n in item if n is not None])
    if None in item:
        fits, wanted = width % known == 0, f"a multiple of {known}"
    else:
        fits, wanted = width == known, str(known)
    if not fits:
        raise ShapeError(f"a row has {width} values and the model takes {wanted}")
