"""The model that a request asks for: its name, and a version or a label."""

from __future__ import annotations

import re
from typing import NamedTuple

from bundle.errors import ModelNotFound
from bundle.params import MODEL_NAME
from bundle.version_labels import LABEL_NAME

# bundle.version numbers versions so; 0 is a flat bundle.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


class ModelSpec(NamedTuple):
    """A model, and at most one of a version and a label.

    Attributes:
        name: the model's name.
        version: the number of the version that must answer.
        label: the label whose version must answer. With neither of the two, the version
            labelled stable answers, else the newest; config.json's ``traffic`` may send
            some of these requests to another label.
    """

    name: str
    version: int | None = None
    label: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Tell whether the client chose the version that must answer."""
        return self.version is not None or self.label is not None


def read_spec(text: str) -> ModelSpec | None:
    """Read NAME, NAME:VERSION or NAME@LABEL; None if the text is none of them."""
    name, colon, version = text.partition(":")
    name, at, label = name.partition("@") if not colon else (name, "", "")
    if (
        not MODEL_NAME.fullmatch(name)
        or (colon and not (version.isdecimal() and len(version) < 19))
        or (at and not LABEL_NAME.fullmatch(label))
    ):
        return None
    return ModelSpec(name, int(version) if colon else None, label if at else None)


def read_version(text: str) -> int:
    """Read the version that a request names.

    Raises:
        ModelNotFound: the text is no version's number.
    """
    if not _NUMBER.fullmatch(text):
        raise ModelNotFound(
            f"{text[:64]!r} is no version: versions are numbers; GET"
            " /models/NAME/labels tells the version of each label"
        )
    return int(text)
