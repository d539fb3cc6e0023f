"""A model on the command line: NAME, NAME:VERSION or NAME@LABEL."""

from __future__ import annotations

import click

from bundle.spec import ModelSpec, read_spec


class Spec(click.ParamType[ModelSpec]):
    """NAME, NAME:VERSION or NAME@LABEL, as far as a command takes them."""

    name = "model"

    def __init__(self, *forms: str) -> None:
        self._forms = forms

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ModelSpec:
        """Read an argument; click tells what is wrong with it."""
        form = (
            "NAME:VERSION" if ":" in value else "NAME@LABEL" if "@" in value else "NAME"
        )
        spec = read_spec(value)
        if spec is None or form not in self._forms:
            self.fail(f"{value!r} is not {' or '.join(self._forms)}", param, ctx)
        return spec


NAME = Spec("NAME")
VERSION = Spec("NAME", "NAME:VERSION")
ANY = Spec("NAME", "NAME:VERSION", "NAME@LABEL")
