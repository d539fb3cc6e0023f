"""The predictor takes a request's data through all steps, in order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bundle.decode import decode_image
from bundle.errors import ShapeError
from bundle.preprocess import MAX_FREE_PIXELS
from bundle.spec import ModelSpec
from runtime.errors import BackendError, InvalidInput
from runtime.lane import elsewhere
from runtime.models.model import Model
from runtime.prediction.answers import Outputs, Scores
from runtime.prediction.explanation import Explanation, steps_of, tensor_of
from runtime.prediction.images import (
    QUICK_BYTES,
    batches,
    inputs_of_files,
    one_image,
    run_images,
)
from runtime.prediction.inputs import to_inputs
from runtime.prediction.postprocess import postprocess
from runtime.prediction.rows import Rows, to_row_input
from runtime.prediction.runs import one_run, run_items, run_model, run_named
from runtime.telemetry.journey import Journey, clock

# A function that makes a request's inputs for another model than the one that answered:
# arrays ``(N, …)`` by the inputs' names.
InputsFor = Callable[[Model], Mapping[str, NDArray[Any]]]


# A function that checks the main output of a run, ``(N, …)`` of its dtype.
Check = Callable[[NDArray[Any]], NDArray[Any]]


class Models(Protocol):
    """The source of models: the registry, perhaps behind the router."""

    def get(self, spec: ModelSpec) -> Model:
        """Return the model that answers; raise ModelNotFound or BackendError."""


class Shadow(Protocol):
    """Another version, which runs later on the same inputs and is compared."""

    def offer(
        self, name: str, model: Model, inputs_for: InputsFor, outputs: NDArray[Any]
    ) -> None:
        """Take ``model``'s output, ``(N, …)`` of its dtype; never raise, never wait."""


class Asked(Protocol):
    """A request whose inputs are made when its model is known."""

    def files_for(self, model: Model) -> Sequence[bytes] | None:
        """Return the encoded pictures that it holds; None if it holds arrays."""

    def arrays_for(self, model: Model) -> dict[str, NDArray[Any]]:
        """Make an array of each input's shape and dtype, by the input's name."""


class Predictor:
    """Answers predictions.

    Args:
        models: the source of the models that requests ask for.
        shadow: the shadow; it is offered each answer, if there is one.
    """

    def __init__(self, models: Models, shadow: Shadow | None = None) -> None:
        self._models = models
        self._shadow = shadow

    def predict_images(
        self, spec: ModelSpec, files: Sequence[bytes], journey: Journey
    ) -> Scores:
        """Answer for image files, in their order.

        Pictures of one shape are run together, up to as many pixels as one picture for
        a model of free size may have.

        Args:
            spec: the model.
            files: the files' bytes, from which the format is told.
            journey: the request's journey.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        if not model.img_channels:
            raise _takes_no_images(spec)
        return self._answer_files(model, files, journey)

    def explain_image(
        self, spec: ModelSpec, file: bytes, journey: Journey
    ) -> Explanation:
        """Answer for one image file, and show each step of its way to the model.

        Args:
            spec: the model.
            file: the file's bytes.
            journey: the request's journey.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: see
            ``predict_images``.
        """
        model = self._find(spec, journey)
        if not model.img_channels:
            raise _takes_no_images(spec)
        return elsewhere(
            functools.partial(self._explain, model, file, journey), journey.model
        )

    def _explain(self, model: Model, file: bytes, journey: Journey) -> Explanation:
        journey.items = 1
        journey.deadline.check()
        start = clock()
        try:
            image = decode_image(
                file, model.img_channels, over_contrast=model.over_contrast
            )
            pictures, item = model.preprocess.explain(image)
            steps = steps_of(image, pictures)
        finally:
            journey.laps.append(("decode", start, clock()))
        outputs = run_images(model, item[np.newaxis], journey)
        return Explanation(
            steps,
            tensor_of(item, [*pictures.values()][-1]),
            _scores(model, _checked(outputs), journey),
        )

    def _answer_files(
        self,
        model: Model,
        files: Sequence[bytes],
        journey: Journey,
        check: Check | None = None,
    ) -> Scores:
        count = journey.items = len(files)
        if not model.is_quick(count) or sum(map(len, files)) > QUICK_BYTES:
            answer = functools.partial(
                self._answer_images, model, files, journey, check
            )
            return elsewhere(answer, journey.model)
        if count > 1:
            return self._answer_images(model, files, journey, check)
        images = one_image(model, files[0], journey)
        scores = self._run_images(model, files, images, journey, check)
        return _scores(model, scores, journey)

    def _answer_images(
        self,
        model: Model,
        files: Sequence[bytes],
        journey: Journey,
        check: Check | None,
    ) -> Scores:
        runs: list[NDArray[Any]] = []
        done = 0
        for images in batches(model, files, journey):
            theirs = files[done : done + len(images)]
            runs.append(self._run_images(model, theirs, images, journey, check))
            done += len(images)
        scores = runs[0] if len(runs) == 1 else [row for run in runs for row in run]
        return _scores(model, scores, journey)

    def _run_images(
        self,
        model: Model,
        files: Sequence[bytes],
        images: NDArray[Any],
        journey: Journey,
        check: Check | None,
    ) -> NDArray[Any]:
        """Run the decoded images of some files, and offer them to the shadow."""
        outputs = run_images(model, images, journey)
        checked = (check or _checked)(outputs)
        if model.watched is not None:
            model.watched.note(images, outputs)
        if self._shadow:
            # The files are kept, and not their pixels, because another version may take
            # colour where this one takes gray.
            inputs_for = functools.partial(inputs_of_files, files=files)
            self._shadow.offer(journey.model, model, inputs_for, outputs)
        return checked

    def predict_rows(self, spec: ModelSpec, rows: Rows, journey: Journey) -> Scores:
        """Answer for rows of numbers and texts.

        Raises:
            ModelNotFound, InvalidInput, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        start = clock()
        try:
            arrays = _of_rows(model, rows)
        finally:
            journey.laps.append(("decode", start, clock()))
        if len(arrays) == 1:
            (items,) = arrays.values()
            journey.items = len(items)
            outputs = run_items(model, items, journey)
        else:
            outputs = run_named(model, arrays, journey)
        try:
            checked = _checked(outputs)
        except BackendError as ex:
            if rows.has_missing:
                raise InvalidInput(
                    "the model gives no number for a row in which a value is missing"
                ) from ex
            raise
        if model.watched is not None:
            model.watched.note(items if len(arrays) == 1 else arrays, outputs)
        if self._shadow:
            inputs_for = functools.partial(_row_inputs, rows=rows)
            self._shadow.offer(spec.name, model, inputs_for, outputs)
        return _scores(model, checked, journey)

    def predict_inputs(
        self, spec: ModelSpec, inputs: Mapping[str, object], journey: Journey
    ) -> Outputs:
        """Answer one run of a model with any inputs and outputs.

        Args:
            spec: the model.
            inputs: nested lists by the inputs' names, as ``orjson.loads`` gives them.
            journey: the request's journey.

        Raises:
            ModelNotFound, InvalidInput, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        made = functools.partial(_of_inputs, inputs=inputs)
        answer = self._answer_arrays(model, made, journey)
        checked = {name: postprocess(array) for name, array in answer.outputs.items()}
        return answer._replace(outputs=checked)

    def predict_tensors(
        self, spec: ModelSpec, asked: Asked, journey: Journey
    ) -> Outputs:
        """Answer one run of a model for a request of another protocol.

        Encoded pictures are answered with the model's main output alone.

        Args:
            spec: the model.
            asked: the request, which makes the model's inputs.
            journey: the request's journey.

        Returns:
            The outputs, as the engine gave them; numbers may be NaN or infinity.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: see
            ``bundle.errors`` and ``runtime.errors``.
        """
        model = self._find(spec, journey)
        files = asked.files_for(model)
        if files is None:
            return self._answer_arrays(model, asked.arrays_for, journey)
        answer = self._answer_files(model, files, journey, np.asarray)
        scores = answer.scores
        if isinstance(scores, list):
            if len({rows.shape for rows in scores}) > 1:
                raise InvalidInput(
                    "the pictures give answers of different shapes, which one output"
                    " cannot hold; send several requests"
                )
            scores = np.stack(scores)
        return Outputs(
            answer.backend,
            answer.version,
            {model.output.name: scores},
            model.output.name,
            answer.labels,
        )

    def _answer_arrays(
        self, model: Model, made: InputsFor, journey: Journey
    ) -> Outputs:
        """Run the arrays that a function makes for a model, once."""

        def inputs_for(model: Model) -> Mapping[str, NDArray[Any]]:
            arrays = made(model)
            _check_pixels(model, arrays)
            return arrays

        start = clock()
        try:
            arrays = inputs_for(model)
        finally:
            journey.laps.append(("decode", start, clock()))
        lengths = {array.shape[0] if array.ndim else 1 for array in arrays.values()}
        journey.items = max(lengths, default=1)
        try:
            outputs = run_model(model, arrays, journey)
        except BackendError as ex:
            # No model tells which of its inputs must have the same length.
            if len(lengths) > 1:
                raise InvalidInput(
                    "the model does not take these inputs together: their first axes"
                    f" are {', '.join(map(str, sorted(lengths)))} long"
                ) from ex
            raise
        main = model.output.name
        if model.watched is not None:
            model.watched.note(arrays, outputs)
        if self._shadow:
            self._shadow.offer(journey.model, model, inputs_for, outputs[main])
        return Outputs(
            journey.backend, model.version, outputs, main, model.bundle.labels
        )

    def _find(self, spec: ModelSpec, journey: Journey) -> Model:
        journey.deadline.check()
        start = clock()
        try:
            model = self._models.get(spec)
        finally:
            journey.laps.append(("queue", start, clock()))
        journey.model = spec.name
        journey.version = model.version
        journey.backend = model.engine
        return model


def _takes_no_images(spec: ModelSpec) -> InvalidInput:
    return InvalidInput(
        f"model {spec.name!r} takes no images: its params have no img_channels;"
        " if it does take them, tell so by POST /params: 1 is gray, 3 is colour; or"
        " push its file again with: runtime models push FILE --channels 1|3"
    )


def _checked(outputs: NDArray[Any]) -> NDArray[Any]:
    # An output with one number for each item has one score.
    return postprocess(outputs[:, np.newaxis] if outputs.ndim == 1 else outputs)


def _scores(
    model: Model, scores: NDArray[Any] | list[NDArray[Any]], journey: Journey
) -> Scores:
    return Scores(
        journey.backend,
        model.version,
        scores,
        model.bundle.labels,
        model.answers_labels,
    )


def _of_rows(model: Model, rows: Rows) -> dict[str, NDArray[Any]]:
    """Make ``(N, …)`` of each input's dtype from rows, by the input's name."""
    return to_row_input(rows, model.backend.inputs, model.bundle.params.features)


def _row_inputs(model: Model, rows: Rows) -> dict[str, NDArray[Any]]:
    return one_run(model, _of_rows(model, rows))


def _of_inputs(model: Model, inputs: Mapping[str, object]) -> dict[str, NDArray[Any]]:
    return to_inputs(model.backend.inputs, inputs)


def _check_pixels(model: Model, arrays: Mapping[str, NDArray[Any]]) -> None:
    if model.img_channels and model.has_free_size:
        # The limit is that of pictures, because a run's memory grows with the pixels.
        ((_, array),) = arrays.items()
        if math.prod(array.shape[:3]) > MAX_FREE_PIXELS:
            raise ShapeError(
                f"the model takes any size, and these pixels are more than"
                f" {MAX_FREE_PIXELS} in all; send fewer"
            )
