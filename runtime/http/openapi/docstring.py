"""Reads the docstring of a class: its summary, and the meaning of its attributes."""

from __future__ import annotations

import inspect
import re

# An attribute of a Google docstring: four spaces, its name, and its meaning, whose
# further lines are indented by eight.
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def summary(of: type) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(of) or "").partition("\n")[0]


def attributes(of: type) -> dict[str, str]:
    """The meaning of each attribute that the section ``Attributes:`` lists."""
    _, _, section = (inspect.getdoc(of) or "").partition("Attributes:\n")
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(section)}
