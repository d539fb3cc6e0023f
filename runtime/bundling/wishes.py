"""The words of a person about a model, which its file does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """The words of a person about a model, which its file does not say.

    Attributes:
        name: the model's name; empty takes that of the file.
        labels: one for each class; empty if the person names none.
        channels: see ``Params.img_channels``; None takes them from the model's input.
        preprocess: the content of params.json's key of this name.
        signature: the signature of a SavedModel; empty is the one that is served.
        inputs: the input nodes of a frozen graph; empty are found.
        outputs: the output nodes of a frozen graph; empty are found.
    """

    name: str = ""
    labels: tuple[str, ...] = ()
    channels: int | None = None
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
