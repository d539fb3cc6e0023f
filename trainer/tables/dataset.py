"""A checked table to train and to test on, from files of any known format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.formats.parts import Part
from trainer.samples import Task
from trainer.split import TEST_SHARE, stratified
from trainer.tables.choice import Choice, choose
from trainer.tables.column import Column, describe, input_names
from trainer.tables.hints import hints
from trainer.tables.opening import open_tables
from trainer.tables.rows import Rows, read_rows
from trainer.tables.target import (
    Target,
    class_numbers,
    label_name,
    quantities,
    target_of,
)
from trainer.tables.weights import measuring_weights, training_weights
from trainer.tables.wishes import Wishes

# The one input of a model whose features are all numbers: TFaaS's classic row.
ROW = "row"
# The column of labels in the rows that people sent back to a service.
FEEDBACK_LABEL = "label"

_VALID_TRAINS = "the validation rows are trained on, too; the test rows stay apart"
_VALID_TESTS = "there are no test rows: the validation rows are tested on"
Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TableSet:
    """Rows of a table to train and to test on.

    Attributes:
        x_train: an array for each input of the model. If all features are numbers, the
            one input ``row`` is ``(N, F)`` float32, NaN where a value is missing. Else
            each feature is an input ``(N, 1)``: float32 numbers, or objects that are
            ``str``, "" where a text is missing.
        y_train: ``(N,)`` int64, indices into ``labels``; or ``(N,)`` float32.
        w_train: ``(N,)`` float32, the weights of the rows, 0 or more, with a mean of 1;
            None if all weigh alike.
        x_test: see ``x_train``.
        y_test: see ``y_train``.
        w_test: ``(N',)`` float32 with a mean of 1; some may be negative.
        task: whether the labels are classes or numbers.
        labels: the class names; empty for a regression.
        columns: the features, in the order of the file or of ``--features``.
        label: the name of the predicted column.
        notes: sentences about the data that their owner may not expect.
    """

    x_train: Inputs
    y_train: NDArray[Any]
    w_train: NDArray[np.float32] | None
    x_test: Inputs
    y_test: NDArray[Any]
    w_test: NDArray[np.float32] | None
    task: Task
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    label: str
    notes: tuple[str, ...] = ()

    @property
    def label_scale(self) -> tuple[float, float]:
        """The standard deviation and the mean of a regression's training labels."""
        wide = self.y_train.astype(np.float64)
        return float(wide.std()) or 1.0, float(wide.mean())

    @property
    def features(self) -> tuple[str, ...]:
        """The names of a row's values in requests, in the model's order."""
        return _features(self.columns)


def load_table(
    path: Path,
    wishes: Wishes | None = None,
    seed: int = 0,
    also: Sequence[Path] = (),
) -> TableSet:
    """Load a table to train on.

    Args:
        path: a file, ``file.root:tree``, or a folder of files of one format; see
            ``trainer.tables.opening``.
        wishes: the label, the features and the rest.
        seed: chooses the rows to test on, a fifth of each class, if the files tell
            none.
        also: other tables with the same columns, all of whose rows are trained on.
            Their label may be named ``label``, as the service names it.

    Raises:
        DataError: a table is missing, damaged or of another form, or its rows cannot be
            trained on.
    """
    wishes = wishes or Wishes()
    sources = open_tables(path)
    choice = choose(sources[0], wishes)
    notes = [note for source in sources for note in source.notes]
    rows = read_rows(sources, choice, wishes, str(path), notes)
    shown = f"{path}: the labels in {choice.label!r}"
    is_test = _test_rows(rows.part, notes)
    if is_test is None:
        everything = np.ones(len(rows.label), bool)
        first = target_of(rows.label, everything, wishes.task, shown)
        is_test = _held_out(first, seed, str(path))
    target = target_of(rows.label, ~is_test, wishes.task, shown)
    notes.append(target.note)
    columns = _described(rows, ~is_test, choice, wishes, str(path))
    what = f"{path}: the weights in {choice.weight!r}"
    w_train = w_test = None
    if rows.weight is not None:
        if wishes.weight is None:
            notes.append(f"the rows count by their weights in {choice.weight!r}")
        w_train, note = training_weights(rows.weight[~is_test], what)
        w_test = measuring_weights(rows.weight[is_test], what)
        notes += [note] if note else []
    data = TableSet(
        x_train=_inputs(rows.features, ~is_test, columns),
        y_train=target.y[~is_test],
        w_train=w_train,
        x_test=_inputs(rows.features, is_test, columns),
        y_test=target.y[is_test],
        w_test=w_test,
        task=target.task,
        labels=target.labels,
        columns=columns,
        label=choice.label,
        notes=(
            *notes,
            *_renamed(columns),
            *hints(columns, rows.features, target, choice.label),
        ),
    )
    for more in also:
        data = _with_also(data, more, wishes)
    return data


def _test_rows(part: NDArray[Any], notes: list[str]) -> NDArray[np.bool_] | None:
    """Return the rows that the files' names put apart; None if they tell no part."""
    told: set[Part] = set(part.tolist()) - {""}
    is_whole = len(set(part.tolist())) == 1
    if is_whole or not told & {"test", "valid"}:
        return None
    tests: Part = "test" if "test" in told else "valid"
    if tests == "valid":
        notes.append(_VALID_TESTS)
    elif "valid" in told:
        notes.append(_VALID_TRAINS)
    chosen: NDArray[np.bool_] = part == tests
    return chosen.astype(bool)


def _held_out(target: Target, seed: int, shown: str) -> NDArray[np.bool_]:
    """Hold out a fifth of each class to test on, or of all rows of a regression."""
    numbers = target.y
    if target.task == "regression":
        numbers = np.zeros(len(target.y), np.int64)
    held = stratified(numbers, TEST_SHARE, seed)
    if not held.any():
        raise DataError(
            f"{shown} has one row of each class; give at least two, one of which is"
            " held out to test on"
        )
    return held


def _described(
    rows: Rows,
    is_train: NDArray[np.bool_],
    choice: Choice,
    wishes: Wishes,
    shown: str,
) -> tuple[Column, ...]:
    names = input_names(choice.features)
    return tuple(
        describe(
            name,
            input_name,
            rows.features[name][is_train],
            name in wishes.categorical,
            shown,
        )
        for name, input_name in zip(choice.features, names, strict=True)
    )


def _features(columns: Sequence[Column]) -> tuple[str, ...]:
    if any(column.is_text for column in columns):
        return tuple(column.input_name for column in columns)
    return tuple(column.name for column in columns)


def _inputs(
    features: dict[str, NDArray[Any]],
    chosen: NDArray[np.bool_],
    columns: Sequence[Column],
) -> Inputs:
    if any(column.is_text for column in columns):
        return {c.input_name: features[c.name][chosen].reshape(-1, 1) for c in columns}
    row = np.empty((int(chosen.sum()), len(columns)), np.float32)
    for place, column in enumerate(columns):
        row[:, place] = features[column.name][chosen]
    return {ROW: row}


def _renamed(columns: Sequence[Column]) -> Iterator[str]:
    """Tell of features that requests must name otherwise than the file does."""
    for column, name in zip(columns, _features(columns), strict=True):
        if name != column.name:
            yield f"the column {column.name!r} is named {name!r} in requests"


def _with_also(data: TableSet, path: Path, wishes: Wishes) -> TableSet:
    """Add the rows of another table to the training part."""
    sources = open_tables(path)
    names = sources[0].names
    label = data.label if data.label in names else FEEDBACK_LABEL
    # A service names the features as the model does.
    known = [c.name if c.name in names else c.input_name for c in data.columns]
    weight = wishes.weight if wishes.weight in names else None
    asked = replace(
        wishes, label=label, weight=weight, features=tuple(known), categorical=()
    )
    choice = choose(sources[0], asked)
    notes: list[str] = []
    mixed = replace(wishes, categorical=tuple(known))
    rows = read_rows(sources, choice, mixed, str(path), notes)
    is_test = rows.part == "test"
    if is_test.any() and not is_test.all():
        rows = rows.taken(~is_test)
        notes.append(f"{path.name}: its test rows are not used")
    features = {
        column.name: _alike(rows.features[name], column, str(path))
        for column, name in zip(data.columns, known, strict=True)
    }
    what = f"{path}: the labels in {label!r}"
    if data.task == "classes":
        y: NDArray[Any] = class_numbers(rows.label, data.labels, what)
    else:
        y = quantities(rows.label, what)
    w_train = data.w_train
    if w_train is not None:
        ones = np.ones(len(y), np.float32)
        what = f"{path}: the weights in {choice.weight!r}"
        more = ones if rows.weight is None else training_weights(rows.weight, what)[0]
        w_train = np.concatenate([w_train, more])
    everything = np.ones(len(y), bool)
    more_inputs = _inputs(features, everything, data.columns)
    x_train = {n: np.concatenate([x, more_inputs[n]]) for n, x in data.x_train.items()}
    told = f"{len(y)} rows of {path.name} are trained on, too"
    return replace(
        data,
        x_train=x_train,
        y_train=np.concatenate([data.y_train, y]),
        w_train=w_train,
        notes=(*data.notes, *notes, told),
    )


def _alike(values: NDArray[Any], column: Column, shown: str) -> NDArray[Any]:
    if (values.dtype == object) == column.is_text:
        return values
    if column.is_text:
        # A few rows may hold no other text than numbers of a column that mixes both.
        texts = ["" if v != v else label_name(v) for v in values.tolist()]
        if set(texts) <= {"", *(column.categories or ())}:
            return np.array(texts, object)
    raise DataError(
        f"{shown}: the column {column.name!r} holds"
        f" {'texts' if values.dtype == object else 'numbers'}, and in the first table"
        f" {'texts' if column.is_text else 'numbers'}; both must hold the same"
    )
