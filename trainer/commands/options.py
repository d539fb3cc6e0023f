"""Options and steps that the commands share."""

from __future__ import annotations

import errno
import importlib
import os
from pathlib import Path

import click

from bundle.params import MODEL_NAME
from trainer.interrupt import Interrupt


def checked_name(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    """Check the name of a model or of a file."""
    if value is not None and not MODEL_NAME.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} must be 1 to 128 letters, digits, '_', '-' or '.', and not"
            " begin with '-' or '.'"
        )
    return value


# The path leads nowhere; the commands have better words for that.
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class GivenPath(click.Path):
    """A path that the system lets a person look at, whether or not a file is there.

    It must not be empty, because pathlib reads an empty path as ``.``.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """See ``click.ParamType``."""
        if value == "":
            self.fail("it is empty; is a variable of the shell not set?", param, ctx)
        path = super().convert(value, param, ctx)
        try:
            Path(value).stat()
        except OSError as ex:
            if ex.errno not in _MISSING:
                self.fail(f"{value} cannot be reached: {ex.strerror}", param, ctx)
        return path


FIN = click.option(
    "--fin",
    type=GivenPath(),
    help="Read the data set from here: an .npz, a mnist.pkl.gz, IDX files, a folder of"
    " images with one subfolder for each class, a .csv of paths and labels, or a table"
    " (.csv, .parquet, .h5, .npz, .root, or a folder of them).  [default: the embedded"
    " MNIST]",
)

# The seed is fixed so that a reader of README gets the same weights each time. Any seed
# would do.
SEED = 4


def import_held(interrupt: Interrupt, name: str) -> None:
    """Import a whole module, and only then end if a signal came.

    An interrupted import of numpy leaves errors of its own.
    """
    interrupt.run_held(lambda: importlib.import_module(name))
