"""A model on the command line: NAME, NAME:VERSION or NAME@LABEL."""

from __future__ import annotations

from pathlib import Path

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


class SpecOrFolder(click.ParamType[ModelSpec | Path]):
    """A model of a store or server, or the path of a bundle's folder."""

    name = "model"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ModelSpec | Path:
        """Read an argument; click tells what is wrong with it."""
        if "/" in value or value == ".":
            return Path(value)
        spec = read_spec(value)
        if spec is None:
            self.fail(
                f"{value!r} is not NAME, NAME:VERSION or NAME@LABEL; the path of a"
                " bundle's folder has a slash",
                param,
                ctx,
            )
        return spec


NAME = Spec("NAME")
VERSION = Spec("NAME", "NAME:VERSION")
ANY = Spec("NAME", "NAME:VERSION", "NAME@LABEL")
