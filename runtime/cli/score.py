"""``runtime score``: the scores of many items, by a model here or on a server."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from bundle.objects.address import Place
from bundle.spec import ModelSpec
from bundle.terminal import StorePlace, WrongInput
from runtime.cli.output import echo, sentences
from runtime.cli.place import PlaceType
from runtime.cli.scoring import Scoring
from runtime.cli.server import PROOF, read_token
from runtime.cli.spec import SpecOrFolder
from runtime.scoring.files import rejects_of

# A chunk of so many items takes some ms of a small model, which hides the cost of
# handing it to a process.
_BATCH = 256
# So many requests are on their way to a server: one is answered while others travel.
_REQUESTS = 4


@click.command()
@click.argument(
    "inputs",
    nargs=-1,
    required=True,
    metavar="INPUT...",
    type=PlaceType(exists=True),
)
@click.option(
    "--model",
    "asked",
    type=SpecOrFolder(),
    required=True,
    metavar="NAME[:VERSION|@LABEL]|DIR",
    help="Score by this model of the store or server, or by this bundle's folder.",
)
@click.option(
    "--out",
    type=PlaceType(),
    required=True,
    metavar="FILE.csv|.jsonl|.parquet",
    help="Write the scores into this file; with --ray into this folder, or URL of an"
    " object store, of Parquet files.",
)
@click.option(
    "--rejects",
    type=PlaceType(),
    metavar="FILE.csv",
    help="Write the items that cannot be scored into this file, with the reasons."
    "  [default: the name of --out, ending with .rejects.csv]",
)
@click.option(
    "--models-dir",
    type=StorePlace(),
    metavar="DIR|URL",
    help="Take the model from this store.  [default: config.json's modelDir]",
)
@click.option(
    "--url", "--server", "url", metavar="URL", help="Ask the service at this URL."
)
@click.option(
    "--key",
    default="",
    metavar="NAME",
    help="Score this array of a .npz, or this tree of a .root.",
)
@click.option(
    "--keep",
    default="",
    metavar="A,B,...",
    help="Copy these columns of a .csv, .parquet or .root to the output.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 65_536),
    default=_BATCH,
    show_default=True,
    help="Run the model on so many items at once.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Score in so many processes, or send so many requests at once."
    f"  [default: one process a core, or a GPU of --gpus; {_REQUESTS} requests]",
)
@click.option(
    "--ray",
    "by_ray",
    is_flag=True,
    help="Score on a cluster of Ray, which needs the extra 'cluster'.",
)
@click.option(
    "--address",
    envvar="RAY_ADDRESS",
    metavar="HOST:PORT",
    help="Score on this cluster of Ray.  [default: $RAY_ADDRESS, or this machine]",
)
@click.option(
    "--cpus",
    type=click.FloatRange(0.001),
    metavar="N",
    help="Give each process of Ray so many CPUs.  [default: 1]",
)
@click.option(
    "--gpus",
    type=click.FloatRange(0),
    metavar="N",
    help="Give each process of Ray so many GPUs, such as 0.5.  [default: 0]",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was ended.")
@click.option(
    "--force", is_flag=True, help="Replace --out, and drop a run that was ended."
)
@PROOF[0]
@PROOF[1]
@PROOF[2]
def score(
    inputs: tuple[Place, ...],
    asked: ModelSpec | Path,
    out: Place,
    rejects: Place | None,
    models_dir: Place | None,
    url: str | None,
    cacert: Path | None,
    token_file: Path | None,
    token_header: str,
    key: str,
    keep: str,
    batch: int,
    workers: int | None,
    by_ray: bool,
    address: str | None,
    cpus: float | None,
    gpus: float | None,
    resume: bool,
    force: bool,
) -> None:
    """Score many items, and write their scores into a file.

    INPUT is a folder of pictures, any number of pictures, or one file: arrays in a
    .npz, rows in a .csv, .parquet or .root, or a .csv that lists pictures. A folder or
    a file may be the URL of an object store, such as s3://bucket/pictures. The output
    has the items in the order of the input: the item, its best label, and a column for
    each class. Items that cannot be scored go into the file --rejects.

    The model runs in this command, on all cores, or on the server --url, or with --ray
    on many machines, which write a folder of Parquet files. A run that was
    killed goes on with --resume, and gives the same output as one that was not. The
    command exits with 1 if the work failed, and with 2 if the input or an option is
    wrong, or if no item could be scored.
    """
    if url and models_dir:
        raise WrongInput("give --url or --models-dir, not both")
    if url and isinstance(asked, Path):
        raise WrongInput("--url needs a model's name as --model, and no folder")
    for option, given in (("--cacert", cacert), ("--token-file", token_file)):
        if given and not url:
            raise WrongInput(f"{option} needs --url")
    if resume and force:
        raise WrongInput("give --resume or --force, not both")
    for name in ("address", "cpus", "gpus"):
        # $RAY_ADDRESS concerns other commands, too.
        source = click.get_current_context().get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE and not by_ray:
            raise WrongInput(f"--{name} needs --ray")
    if by_ray and url:
        raise WrongInput("give --ray or --url, not both")
    columns = tuple(dict.fromkeys(filter(None, keep.split(","))))
    rejects = rejects or rejects_of(out)
    for option, place in (("--out", out), ("--rejects", rejects)):
        if isinstance(place, str) and not by_ray:
            raise WrongInput(f"{option} {place} is a URL, which needs --ray")
        if isinstance(place, Path) and not place.name:
            raise WrongInput(f"{option} {place} is a folder; name a file")
        if _is_one(place, inputs):
            raise WrongInput(f"{option} {place} is an input; give another name")
    if out == rejects:
        raise WrongInput("--out and --rejects are the same file; name two")
    scoring = Scoring(inputs, out, rejects, key, columns, batch, resume, force)
    with sentences():
        if url:
            from runtime.scoring.remote import ServicePlace

            service = ServicePlace(url, cacert, read_token(token_file), token_header)
            assert not isinstance(asked, Path), "it was refused above"
            outcome = scoring.by_server(service, asked, workers or _REQUESTS)
        elif by_ray:
            takes = (workers, 1.0 if cpus is None else cpus, gpus or 0.0)
            outcome = scoring.on_cluster(asked, models_dir, address or "", takes)
        else:
            outcome = scoring.here(asked, models_dir, workers)
    told = f"{outcome.rejected} rejected ({rejects}), " if outcome.rejected else ""
    figures = f"{outcome.seconds:.1f} s, {outcome.rate:,.0f} items/s"
    if not outcome.scored:
        raise WrongInput(
            f"none of the {outcome.rejected} items could be scored, and {out} was not"
            f" written; {rejects} tells the reasons"
        )
    echo(f"{out}: {outcome.scored} items, {told}{figures}")


def _is_one(place: Place, inputs: tuple[Place, ...]) -> bool:
    """Tell whether an output is one of the inputs, which would be lost."""
    if isinstance(place, str):
        return place in inputs
    try:
        return any(place.samefile(given) for given in inputs if isinstance(given, Path))
    except OSError:  # it is not there, or cannot be; the spool tells the reason
        return False
