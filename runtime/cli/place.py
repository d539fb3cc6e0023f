"""A file or folder on the command line, which may be the URL of an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bundle.objects.address import Place, place_of, shown


class PlaceType(click.ParamType[Place]):
    """A file or folder, or the URL of an object store.

    Args:
        exists: whether a file or folder must be there.
    """

    name = "path"

    def __init__(self, *, exists: bool = False) -> None:
        self._path = click.Path(path_type=Path, exists=exists)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """Read an argument; click tells what is wrong with it."""
        if isinstance(value, str) and "://" in value:
            try:
                return place_of(value)
            except ValueError as ex:
                self.fail(f"{shown(value)!r} {ex}", param, ctx)
        path: Path = self._path.convert(value, param, ctx)
        return path
