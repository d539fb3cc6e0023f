"""``runtime predict``: the classes of pictures, by a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundle.spec import ModelSpec
from runtime.cli.output import print_json, say
from runtime.cli.server import on_server
from runtime.cli.spec import ANY

if TYPE_CHECKING:
    from tfaas_onnx import Client

# The bar moves after so many pictures, which the client sends as one form.
_STEP = 32


@click.command()
@click.argument(
    "pictures",
    nargs=-1,
    required=True,
    metavar="PICTURE...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--model",
    "spec",
    type=ANY,
    metavar="NAME[:VERSION|@LABEL]",
    help="Ask this model.  [default: the only one of the server]",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Print so many classes of each picture.",
)
@on_server
def predict(
    client: Client,
    pictures: tuple[Path, ...],
    spec: ModelSpec | None,
    top: int,
    as_json: bool,
) -> None:
    """Predict the classes of pictures.

    The best class comes first. The engine and the version that answered are told on
    standard error. The command exits with 1 if the server cannot be reached or fails,
    and with 2 if it refuses a picture, the model's name or the token.
    """
    from runtime.cli.bar import counted
    from runtime.cli.table import print_predictions

    model, version, label = spec or (None, None, None)
    answers = []
    with counted(len(pictures), "predicting", _STEP) as advance:
        for first in range(0, len(pictures), _STEP):
            some = pictures[first : first + _STEP]
            answers += client.predict_images(
                some, model=model, version=version, label=label, top=top
            )
            advance(len(some))
    told = list(zip(pictures, answers, strict=True))
    if as_json:
        print_json(
            [
                {
                    "picture": str(picture),
                    "labels": [
                        {"label": label, "probability": probability}
                        for label, probability in answer.by_label().items()
                    ],
                    "version": answer.version,
                    "backend": answer.backend,
                    "request_id": answer.request_id,
                }
                for picture, answer in told
            ]
        )
        return
    print_predictions((str(picture), answer) for picture, answer in told)
    for version, backend in sorted({(a.version or 0, a.backend) for a in answers}):
        say(f"version {version}, {backend}")
