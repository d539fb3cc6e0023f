"""Feedback on answers: it is checked with the model, and then kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, TypedDict

from bundle.containers import look_at
from bundle.spec import ModelSpec
from runtime.errors import InvalidInput
from runtime.feedback.counts import ROWS
from runtime.feedback.folder import FeedbackFolder
from runtime.feedback.labels import check_folder_name, label_of
from runtime.models.model import Model
from runtime.prediction.images import inputs_of_files
from runtime.prediction.rows import read_rows, to_row_input
from runtime.telemetry.metrics import FEEDBACK

logger = logging.getLogger(__name__)

# The last column of the rows.
LABEL = "label"

# A function that finds a model in memory, or loads it.
Find = Callable[[ModelSpec], Model]


class Kept(TypedDict):
    """A picture or a row that was kept, or that was there already.

    Attributes:
        model: the model's name.
        version: the version that it was checked with.
        label: its right label.
        kind: whether it is a picture or a row.
        items: the number of the model's pictures and rows that are kept now.
    """

    model: str
    version: int | None
    label: str
    kind: Literal["picture", "row"]
    items: int


class Feedback:
    """Keeps pictures and rows with their right label.

    Args:
        find: the function that finds the model.
        folder: the folder that keeps them.
    """

    def __init__(self, find: Find, folder: FeedbackFolder) -> None:
        self._find = find
        self._folder = folder

    def keep_picture(self, spec: ModelSpec, label: str, file: bytes) -> Kept:
        """Keep a picture as it came; under another label than before, it moves there.

        Args:
            spec: the model.
            label: the right label.
            file: the picture's bytes, from which the format is told.

        Raises:
            ModelNotFound, InvalidInput, ImageError, ShapeError, BackendError: the model
                does not take it, or has no such label.
            ConflictError: the folder is full.
            StoreError: the disk refused it.
        """
        model = self._find(spec)
        if not model.img_channels:
            raise InvalidInput(
                f"model {spec.name!r} takes no pictures; send a row, as JSON with"
                " 'keys' and 'values'"
            )
        text = label_of(model, label)
        check_folder_name(text)
        inputs_of_files(model, [file])
        ending = look_at(file).format.lower()
        items = self._folder.keep_picture(spec.name, text, file, ending)
        return _told(model, spec.name, text, "picture", items)

    def keep_row(
        self, spec: ModelSpec, label: object, keys: object, values: object
    ) -> Kept:
        """Keep a row, with its values in the order of the model's features.

        Args:
            spec: the model.
            label: the right label, a text or a number.
            keys: the names of the values.
            values: the row's values, as JSON has them.

        Raises:
            ModelNotFound, InvalidInput, ShapeError, BackendError: the model does not
                take it, or has no such label.
            ConflictError: the folder is full, or has rows of other columns.
            StoreError: the disk refused it.
        """
        rows = read_rows(keys, values)
        if not rows.is_one:
            raise InvalidInput(
                "'values' is a list of rows; send one row, because each has its own"
                " label"
            )
        model = self._find(spec)
        text = label_of(model, label)
        features = _features_of(model)
        to_row_input(rows, model.backend.inputs, features)
        by_key = dict(zip(rows.keys, rows.values.flat, strict=True))
        cells = [_cell(by_key[name]) for name in features]
        items = self._folder.keep_row(spec.name, [*features, LABEL], [*cells, text])
        return _told(model, spec.name, text, "row", items)


def _told(
    model: Model, name: str, label: str, kind: Literal["picture", "row"], items: int
) -> Kept:
    FEEDBACK.labels(name).inc()
    logger.info("%s keeps a %s labelled %r", name, kind, label)
    return Kept(model=name, version=model.version, label=label, kind=kind, items=items)


def _features_of(model: Model) -> tuple[str, ...]:
    """Return the features of a model, which name the columns of its rows."""
    features = model.bundle.params.features
    if not features:
        raise InvalidInput(
            f"model {model.name!r} names no 'features', so the columns of {ROWS} have"
            " no names; tell them by POST /params"
        )
    for name in features:
        if name == LABEL or not name.isprintable():
            raise InvalidInput(
                f"model {model.name!r} has a feature {name[:64]!r}, which cannot be a"
                f" column of {ROWS} beside the column {LABEL!r}; no row is kept for it"
            )
    return features


def _cell(value: Any) -> str:
    """Write one value of JSON into a cell; null is an empty one."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else repr(value)
    if not text.isprintable():
        raise InvalidInput(
            f"'values' has the text {text[:64]!r}; a row is one line of {ROWS}, so its"
            " texts must be printable"
        )
    return text
