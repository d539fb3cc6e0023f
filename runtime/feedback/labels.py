"""The right label of a picture or a row: a model's own label, a text or a number."""

from __future__ import annotations

import math
import re

from bundle.leftovers import is_leftover
from runtime.errors import InvalidInput
from runtime.models.model import Model

# An error names at most so many labels.
_MOST_LABELS = 20
# Python takes more spellings of a number, and a reader of CSV may not.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# A name in a file system of Linux has at most so many bytes.
_MOST_BYTES = 255


def label_of(model: Model, given: object) -> str:
    """Check a label, and return it as a text.

    Args:
        model: the model. If it has labels, the label must be one of them. If it has
            none and answers one number, the label must be a number.
        given: a text, or a number.

    Raises:
        InvalidInput: it is no label of this model.
    """
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InvalidInput("'label' must be a text or a number")
    text = given if isinstance(given, str) else repr(given)
    if labels := model.bundle.labels:
        if text not in labels:
            shown = ", ".join(labels[:_MOST_LABELS])
            more = " …" if len(labels) > _MOST_LABELS else ""
            raise InvalidInput(
                f"model {model.name!r} has no label {text[:64]!r}; it has {shown}{more}"
            )
        return text
    if model.output.shape[1:] in ((), (1,)):
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise InvalidInput(
                f"'label' is {text[:64]!r}; it must be a number, because model"
                f" {model.name!r} answers one number and has no labels"
            )
        return text
    if not text.strip() or not text.isprintable():
        raise InvalidInput(
            f"'label' is {text[:64]!r}; it must be a text of one line that is not empty"
        )
    return text


def check_folder_name(label: str) -> None:
    """Check that a label can be the name of a folder that every trainer reads.

    Raises:
        InvalidInput: it cannot.
    """
    if (
        "/" in label
        or label != label.strip()
        or not label.isprintable()
        or label.startswith(".")
        or is_leftover(label)
        or len(label.encode()) > _MOST_BYTES
    ):
        raise InvalidInput(
            f"the label {label[:64]!r} cannot be the name of a folder, so pictures of"
            " it are not kept: such a name has no '/', no dot or blank before it, no"
            f" blank behind it, and at most {_MOST_BYTES} bytes"
        )
