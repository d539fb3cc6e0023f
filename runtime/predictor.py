"""The corridor: the rooms that a request's data goes through, in order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bundle.decode import decode_image
from bundle.errors import ImageError, ShapeError
from bundle.preprocess import MAX_FREE_PIXELS
from runtime.backends import WARMED_SIDE, Backend
from runtime.errors import BackendError, InvalidInput
from runtime.inputs import to_inputs
from runtime.journey import Journey
from runtime.model import Model
from runtime.postprocess import postprocess
from runtime.rows import Rows, to_row_input
from runtime.spec import ModelSpec

# What remakes a request's inputs for another model than the one that answered it.
InputsFor = Callable[[Model], Mapping[str, NDArray[Any]]]


class Models(Protocol):
    """Where models come from: the registry, or the router before it."""

    def get(self, spec: ModelSpec) -> Model:
        """The model that answers; ModelNotFound, BackendError."""


class Shadow(Protocol):
    """Another version that runs beside, later, and is compared."""

    def offer(
        self, name: str, model: Model, inputs_for: InputsFor, outputs: NDArray[Any]
    ) -> None:
        """Take what ``model`` answered; it never raises, and never waits."""


@dataclass(frozen=True)
class Answer:
    """Who answered.

    Attributes:
        backend: ``engine/device``.
        version: the model's version in the store.
    """

    backend: str
    version: int | None


@dataclass(frozen=True)
class Scores(Answer):
    """What the model's main output says of each item.

    Attributes:
        scores: ``(N, num_classes)``, the classes in the order of the labels, or
            ``(N, …)`` of a model that answers otherwise; N arrays if they come of
            several runs.
        labels: the model's; empty if it has none.
        answers_labels: images are answered with the best labels if nobody says else;
            the labels may be fewer than the classes.
    """

    scores: NDArray[Any] | list[NDArray[Any]]
    labels: tuple[str, ...]
    answers_labels: bool


@dataclass(frozen=True)
class Outputs(Answer):
    """All outputs of one run, by name."""

    outputs: Mapping[str, NDArray[Any]]


class Predictor:
    """Answers predictions.

    Args:
        models: loads what a request asks for.
        shadow: is offered each answer, if there is one.
    """

    def __init__(self, models: Models, shadow: Shadow | None = None) -> None:
        self._models = models
        self._shadow = shadow

    def predict_images(
        self, spec: ModelSpec, files: Sequence[bytes], journey: Journey
    ) -> Scores:
        """Answer for image files, in their order.

        Pictures that become one shape are one run, up to as many pixels as one picture
        of a model of free size may have.

        Args:
            spec: the model.
            files: their bytes; the format is told from them.
            journey: of the request.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        if not model.img_channels:
            raise InvalidInput(
                f"model {spec.name!r} takes no images: its params.json has no"
                " img_channels"
            )
        journey.items = len(files)
        runs: list[NDArray[Any]] = []
        offers: list[tuple[InputsFor, NDArray[Any]]] = []
        done = 0
        for images in _batches(model, files, journey):
            outputs = _run_images(model, images, journey)
            runs.append(outputs)
            # The files are kept, and not their pixels: another version may take colour
            # where this one takes gray.
            theirs = files[done : done + len(images)]
            offers.append((functools.partial(_of_files, files=theirs), outputs))
            done += len(images)
        return self._scores(spec, model, runs, offers, journey)

    def predict_rows(self, spec: ModelSpec, rows: Rows, journey: Journey) -> Scores:
        """Answer for rows of numbers.

        Raises:
            ModelNotFound, InvalidInput, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        with journey.stage("decode"):
            items = _of_rows(model, rows)
        journey.items = len(items)
        outputs = _run_items(model, items, journey)
        inputs_for = functools.partial(_row_inputs, rows=rows)
        return self._scores(spec, model, [outputs], [(inputs_for, outputs)], journey)

    def predict_inputs(
        self, spec: ModelSpec, inputs: Mapping[str, object], journey: Journey
    ) -> Outputs:
        """Answer one run of a model, of whatever inputs and outputs.

        Args:
            spec: the model.
            inputs: nested lists by the inputs' names, as ``orjson.loads`` gives them.
            journey: of the request.

        Raises:
            ModelNotFound, InvalidInput, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        with journey.stage("decode"):
            arrays = _of_inputs(model, inputs)
        lengths = {array.shape[0] if array.ndim else 1 for array in arrays.values()}
        journey.items = max(lengths, default=1)
        try:
            outputs = _run(model, arrays, journey)
        except BackendError as ex:
            # Which of them must agree, no model says.
            if len(lengths) > 1:
                raise InvalidInput(
                    "the model does not take these inputs together: their first axes"
                    f" are {', '.join(map(str, sorted(lengths)))} long"
                ) from ex
            raise
        answer = {name: postprocess(array) for name, array in outputs.items()}
        if self._shadow:
            self._shadow.offer(
                spec.name,
                model,
                functools.partial(_of_inputs, inputs=inputs),
                outputs[model.output.name],
            )
        return Outputs(journey.backend, model.version, answer)

    def _find(self, spec: ModelSpec, journey: Journey) -> Model:
        with journey.stage("queue"):
            model = self._models.get(spec)
        journey.model = spec.name
        journey.version = model.version
        journey.backend = _name(model.backend)
        return model

    def _scores(
        self,
        spec: ModelSpec,
        model: Model,
        runs: list[NDArray[Any]],
        offers: list[tuple[InputsFor, NDArray[Any]]],
        journey: Journey,
    ) -> Scores:
        """Check what the runs gave, offer it to the shadow, and answer it."""
        # One number an item is one score.
        checked = [
            postprocess(run[:, np.newaxis] if run.ndim == 1 else run) for run in runs
        ]
        if self._shadow:
            for inputs_for, outputs in offers:
                self._shadow.offer(spec.name, model, inputs_for, outputs)
        return Scores(
            journey.backend,
            model.version,
            checked[0]
            if len(checked) == 1
            else [row for run in checked for row in run],
            model.bundle.labels,
            model.answers_labels,
        )


def _batches(
    model: Model, files: Sequence[bytes], journey: Journey
) -> Iterator[NDArray[Any]]:
    """Decode files one by one, and join neighbours of one shape: ``(n, H, W, C)``.

    One by one, and run before the next are decoded: pictures take hundreds of times
    the room of their files.
    """
    waiting: list[NDArray[Any]] = []
    for number, file in enumerate(files, start=1):
        with journey.stage("decode"):
            try:
                image = _of_file(model, file)  # (1, H, W, C)
            except (ImageError, ShapeError) as ex:
                if len(files) == 1:
                    raise
                raise type(ex)(f"{ex} (image {number} of {len(files)})") from ex
        pixels = math.prod(image.shape[1:3])
        if waiting and (
            image.shape != waiting[0].shape
            or pixels * (len(waiting) + 1) > MAX_FREE_PIXELS
        ):
            yield np.concatenate(waiting)
            waiting = []
        waiting.append(image)
    yield np.concatenate(waiting)


def _of_file(model: Model, file: bytes) -> NDArray[Any]:
    """One image file as ``(1, H, W, C)`` of a model's input."""
    (batch,) = model.to_input(decode_image(file, model.img_channels)).values()
    return batch[:1]


def _of_files(model: Model, files: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    images = [_of_file(model, file) for file in files]
    if len({image.shape for image in images}) > 1:
        raise ShapeError(
            "the images are of different sizes, and so is the model's input"
        )
    return _inputs(model, np.concatenate(images))


def _of_rows(model: Model, rows: Rows) -> NDArray[Any]:
    """Rows as ``(N, …)`` of a model's one input."""
    features = model.bundle.params.features
    (items,) = to_row_input(rows, model.backend.inputs, features).values()
    return items


def _row_inputs(model: Model, rows: Rows) -> dict[str, NDArray[Any]]:
    return _inputs(model, _of_rows(model, rows))


def _of_inputs(model: Model, inputs: Mapping[str, object]) -> dict[str, NDArray[Any]]:
    arrays = to_inputs(model.backend.inputs, inputs)
    if model.img_channels and model.has_free_size:
        # As a picture's: what a run takes grows with them.
        ((_, array),) = arrays.items()
        if math.prod(array.shape[:3]) > MAX_FREE_PIXELS:
            raise ShapeError(
                f"the model takes any size, and these pixels are more than"
                f" {MAX_FREE_PIXELS} in all; send fewer"
            )
    return arrays


def _inputs(model: Model, items: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """One run's input; a fixed batch is filled up with its last item again.

    Raises:
        ShapeError: there are more items than the fixed batch holds.
    """
    (spec,) = model.backend.inputs
    room = (spec.shape[0] or len(items)) - len(items)
    if room < 0:
        raise ShapeError(f"the model takes {spec.shape[0]} items, not {len(items)}")
    filled = [items, np.repeat(items[-1:], room, axis=0)] if room else [items]
    return {spec.name: np.concatenate(filled)}


def _run_images(model: Model, images: NDArray[Any], journey: Journey) -> NDArray[Any]:
    try:
        return _run_items(model, images, journey)
    except BackendError as ex:
        height, width = images.shape[1:3]
        if model.has_free_size and min(height, width) < WARMED_SIDE:
            raise InvalidInput(
                f"the model does not take an image of {height} x {width} pixels;"
                " send a larger one"
            ) from ex
        raise


def _run_items(model: Model, items: NDArray[Any], journey: Journey) -> NDArray[Any]:
    """Run a model of one input; its main output, ``(N, …)`` of N items."""
    size = model.backend.inputs[0].shape[0] or len(items)
    runs = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        inputs = _inputs(model, batch)
        filled = len(next(iter(inputs.values())))
        output = _run(model, inputs, journey)[model.output.name]
        # Not fewer and not more: the first of many would be no answer to the item.
        if output.ndim == 0 or len(output) != filled:
            raise InvalidInput(
                f"output {model.output.name!r} has no batch axis: {filled} items"
                f" were answered with the shape {output.shape}; send them as 'inputs'"
            )
        runs.append(output[: len(batch)])
    return np.concatenate(runs)


def _run(
    model: Model, inputs: Mapping[str, NDArray[Any]], journey: Journey
) -> dict[str, NDArray[Any]]:
    with journey.stage("infer"):
        outputs, backend = model.run(inputs)
    # Of several runs, the engine that stood in for one is worth telling.
    if backend is not model.backend:
        journey.backend = _name(backend)
    return outputs


def _name(backend: Backend) -> str:
    return f"{backend.name}/{backend.device}"
