"""From a request's items to runs of a model, and to their answers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends import engine_of
from runtime.errors import BackendError, InvalidInput
from runtime.lane import Fiber, current_fiber, elsewhere
from runtime.models.model import Model
from runtime.models.plan import Plan
from runtime.models.watched import Arrays
from runtime.telemetry.journey import Journey, clock


def run_items(model: Model, items: NDArray[Any], journey: Journey) -> NDArray[Any]:
    """Run a model with one input.

    Args:
        model: the model.
        items: ``(N, …)`` of the input's dtype.
        journey: the request's journey.

    Returns:
        The main output, ``(N, …)`` of its dtype.

    Raises:
        InvalidInput: the answer has not one row for each item.
        BackendError: see ``Model.run``.
    """
    plan = model.plan
    if (
        plan is not None
        and (fiber := current_fiber()) is not None
        and plan.takes(items)
    ):
        output = _run_planned(model, plan, fiber, items, journey)[plan.output]
        if output.ndim == 0 or len(output) != len(items):
            _check_rows(model, output, len(items))
        return output
    spec = model.backend.inputs[0]
    size = spec.shape[0]
    if size is None:
        output = run_model(model, {spec.name: items}, journey)[model.output.name]
        _check_rows(model, output, len(items))
        return output
    if len(items) <= size:
        return _run(model, items, journey)
    return np.concatenate(
        [
            _run(model, items[start : start + size], journey)
            for start in range(0, len(items), size)
        ]
    )


def run_named(
    model: Model, arrays: Mapping[str, NDArray[Any]], journey: Journey
) -> NDArray[Any]:
    """Run a model with several inputs; see ``run_items``.

    Args:
        model: the model.
        arrays: ``(N, …)`` of each input's dtype, by the input's name.
        journey: the request's journey, whose ``items`` is set to N.
    """
    count = journey.items = len(next(iter(arrays.values())))
    step = _fixed_batch(model) or count
    runs = []
    for start in range(0, count, step):
        items = {name: array[start : start + step] for name, array in arrays.items()}
        wanted = min(step, count - start)
        inputs = one_run(model, items)
        output = run_model(model, inputs, journey)[model.output.name]
        _check_rows(model, output, len(next(iter(inputs.values()))))
        runs.append(output[:wanted])
    return runs[0] if len(runs) == 1 else np.concatenate(runs)


def _fixed_batch(model: Model) -> int | None:
    """Return N of a model that takes no other; None if it takes any."""
    sizes = (spec.shape[0] for spec in model.backend.inputs if spec.shape)
    return next((size for size in sizes if size), None)


def _run_planned(
    model: Model, plan: Plan, fiber: Fiber, items: NDArray[Any], journey: Journey
) -> Mapping[str, NDArray[Any]]:
    """Run items with those of other requests that came in the same turn."""
    start = clock()
    try:
        return plan.turn.submit(
            fiber, {plan.name: items}, len(items), plan.kind, journey.deadline
        )
    except BackendError as ex:
        outputs, backend = model.fall_back(ex, [{plan.name: items}], journey.deadline)
        journey.backend = engine_of(backend)
        return outputs
    finally:
        journey.laps.append(("infer", start, clock()))


def _run(model: Model, items: NDArray[Any], journey: Journey) -> NDArray[Any]:
    """Run the model once, on no more items than a fixed batch has."""
    inputs = one_run(model, items)
    (array,) = inputs.values()
    output = run_model(model, inputs, journey)[model.output.name]
    _check_rows(model, output, len(array))
    return output if len(array) == len(items) else output[: len(items)]


def _check_rows(model: Model, output: NDArray[Any], items: int) -> None:
    # The number must be equal: the first of more rows would not be the item's answer.
    if output.ndim == 0 or len(output) != items:
        raise InvalidInput(
            f"output {model.output.name!r} has no batch axis: {items} items"
            f" were answered with the shape {output.shape}; send them as 'inputs'"
        )


def one_run(model: Model, items: Arrays) -> dict[str, NDArray[Any]]:
    """Make one run's inputs; a fixed batch is filled up with copies of its last item.

    Args:
        model: the model.
        items: ``(n, …)`` of the one input's dtype, or such arrays by the inputs' names.

    Returns:
        An array ``(N, …)`` of each input's dtype, by the input's name.

    Raises:
        ShapeError: there are more items than the fixed batch holds.
    """
    if not isinstance(items, Mapping):
        (spec,) = model.backend.inputs
        items = {spec.name: items}
    count, size = len(next(iter(items.values()))), _fixed_batch(model)
    room = (size or count) - count
    if room < 0:
        raise ShapeError(f"the model takes {size} items, not {count}")
    if not room:
        return dict(items)
    return {
        name: np.concatenate([array, np.repeat(array[-1:], room, axis=0)])
        for name, array in items.items()
    }


def run_model(
    model: Model, inputs: Mapping[str, NDArray[Any]], journey: Journey
) -> Mapping[str, NDArray[Any]]:
    """Run a model once on any inputs, and note in the journey which engine answered.

    Args:
        model: the model.
        inputs: an array ``(N, …)`` of each input's dtype, by its name.
        journey: the request's journey.

    Returns:
        An array ``(N, …)`` of each output's dtype, by its name.
    """
    plan = model.plan
    if (
        plan is not None
        and (fiber := current_fiber()) is not None
        and inputs.keys() == {plan.name}
        and plan.takes(inputs[plan.name])
    ):
        return _run_planned(model, plan, fiber, inputs[plan.name], journey)
    start = clock()
    try:
        if model.is_quick(journey.items):
            outputs, backend = model.run(inputs, journey.deadline)
        else:
            run = functools.partial(model.run, inputs, journey.deadline)
            outputs, backend = elsewhere(run, journey.model)
    finally:
        journey.laps.append(("infer", start, clock()))
    # If a request takes several runs, the engine that stood in for one is shown.
    if backend is not model.backend:
        journey.backend = engine_of(backend)
    return outputs
