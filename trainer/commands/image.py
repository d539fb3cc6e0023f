"""``trainer image``: one training image as a PNG file."""

from __future__ import annotations

from pathlib import Path

import click

from trainer.commands.options import FIN, SEED, GivenPath, import_held
from trainer.interrupt import Interrupt


@click.command()
@FIN
@click.option("--fout", type=GivenPath(), required=True, help="Write this PNG file.")
@click.option(
    "--imgid",
    type=int,
    required=True,
    help="Take the training image of this number; the first is 0.",
)
def image(fin: Path | None, fout: Path, imgid: int) -> None:
    """Write one training image as a PNG file."""
    with Interrupt() as interrupt:
        import_held(interrupt, "trainer.picture")
        from trainer.data import load_dataset
        from trainer.picture import write_png

        data = load_dataset(fin, seed=SEED)
        for note in data.notes:
            click.echo(note)
        interrupt.hold()
        label = write_png(data, imgid, fout)
        click.echo(f"wrote image {imgid}, a {label}, to {fout}")
