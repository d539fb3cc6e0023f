"""The names of models and labels, which become parts of a path."""

from __future__ import annotations

import re

from tfaas_onnx.errors import WrongArgument

# The service has these patterns in bundle/params.py and bundle/version_labels.py. This
# package imports nothing of the service; a test compares them.
MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
LABEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def checked_model(name: str) -> str:
    """Return a model's name, which is safe in a path.

    Raises:
        WrongArgument: no model has such a name.
    """
    return _checked("model", name, MODEL_NAME)


def checked_label(name: str) -> str:
    """Return a label's name, which is safe in a path.

    Raises:
        WrongArgument: no label has such a name.
    """
    return _checked("label", name, LABEL_NAME)


def checked_version(number: int) -> int:
    """Return a version's number.

    Raises:
        WrongArgument: no version has such a number.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise WrongArgument("version", f"{number!r} is no whole number from 0 on")
    return number


def _checked(argument: str, name: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise WrongArgument(argument, f"{str(name)[:64]!r} is no {argument}'s name")
    return name
