"""``runtime score``: the scores of many items, by a model here or on a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bundle.objects.address import Place
from bundle.spec import ModelSpec, read_spec
from bundle.terminal import StorePlace, WrongInput
from runtime.cli.output import echo, say, sentences
from runtime.cli.server import PROOF, read_token

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.scoring.crew import Answer
    from runtime.scoring.facts import Facts
    from runtime.scoring.remote import ServicePlace
    from runtime.scoring.run import Outcome, Run

# A chunk of so many items takes some ms of a small model, which hides the cost of
# handing it to a process.
_BATCH = 256
# So many requests are on their way to a server: one is answered while others travel.
_REQUESTS = 4


class _Asked(click.ParamType[ModelSpec | Path]):
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


@click.command()
@click.argument(
    "inputs",
    nargs=-1,
    required=True,
    metavar="INPUT...",
    type=click.Path(path_type=Path, exists=True),
)
@click.option(
    "--model",
    "asked",
    type=_Asked(),
    required=True,
    metavar="NAME[:VERSION|@LABEL]|DIR",
    help="Score by this model of the store or server, or by this bundle's folder.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.csv|.jsonl|.parquet",
    help="Write the scores into this file.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
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
    f"  [default: one process a core; {_REQUESTS} requests]",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was ended.")
@click.option(
    "--force", is_flag=True, help="Replace --out, and drop a run that was ended."
)
@PROOF[0]
@PROOF[1]
@PROOF[2]
def score(
    inputs: tuple[Path, ...],
    asked: ModelSpec | Path,
    out: Path,
    rejects: Path | None,
    models_dir: Place | None,
    url: str | None,
    cacert: Path | None,
    token_file: Path | None,
    token_header: str,
    key: str,
    keep: str,
    batch: int,
    workers: int | None,
    resume: bool,
    force: bool,
) -> None:
    """Score many items, and write their scores into a file.

    INPUT is a folder of pictures, any number of pictures, or one file: arrays in a
    .npz, rows in a .csv, .parquet or .root, or a .csv that lists pictures. The output
    has the items in the order of the input: the item, its best label, and a column for
    each class. Items that cannot be scored go into the file --rejects.

    The model runs in this command, on all cores, or on the server --url. A run that was
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
    if not out.name:
        raise WrongInput(f"--out {out} is a folder; name a file")
    columns = tuple(dict.fromkeys(filter(None, keep.split(","))))
    rejects = rejects or out.with_name(f"{out.stem}.rejects.csv")
    for option, path in (("--out", out), ("--rejects", rejects)):
        if _is_one(path, inputs):
            raise WrongInput(f"{option} {path} is an input; name another file")
    options = _Options(inputs, out, rejects, key, columns, batch, resume, force)
    with sentences():
        if url:
            from runtime.scoring.remote import ServicePlace

            place = ServicePlace(url, cacert, read_token(token_file), token_header)
            assert not isinstance(asked, Path), "it was refused above"
            outcome = _by_server(options, place, asked, workers or _REQUESTS)
        else:
            outcome = _here(options, asked, models_dir, workers)
    told = f"{outcome.rejected} rejected ({rejects}), " if outcome.rejected else ""
    figures = f"{outcome.seconds:.1f} s, {outcome.rate:,.0f} items/s"
    if not outcome.scored:
        raise WrongInput(
            f"none of the {outcome.rejected} items could be scored, and {out} was not"
            f" written; {rejects} tells the reasons"
        )
    echo(f"{out}: {outcome.scored} items, {told}{figures}")


def _is_one(path: Path, inputs: tuple[Path, ...]) -> bool:
    """Tell whether an output is one of the inputs, which would be lost."""
    try:
        return any(path.samefile(given) for given in inputs)
    except OSError:  # it is not there, or cannot be; the spool tells the reason
        return False


@dataclass(frozen=True)
class _Options:
    """The options that both ways of scoring have."""

    inputs: tuple[Path, ...]
    out: Path
    rejects: Path
    key: str
    keep: tuple[str, ...]
    batch: int
    resume: bool
    force: bool

    def prepare(self, facts: Facts) -> Run:
        """Look at the input and the output, once the model is known."""
        from runtime.scoring.forms import form_of
        from runtime.scoring.inputs import open_source
        from runtime.scoring.run import Run
        from runtime.scoring.spool import Spool

        source = open_source(self.inputs, facts, self.key, self.keep)
        form = form_of(self.out, source.kept)
        settings = [self.batch, self.key, self.keep, self.out.suffix.lower()]
        spool = Spool(self.out, self.rejects)
        return Run(source, facts, form, spool, self.batch, json.dumps(settings))

    def go(
        self, run: Run, crew: Callable[[int], AbstractContextManager[Answer]]
    ) -> Outcome:
        """Score, and show how far it is."""
        from runtime.cli.bar import scoring

        try:
            with scoring(run.source.total) as tell:
                return run.go(crew, tell, resume=self.resume, force=self.force)
        except BaseException:
            if run.spool.kept:
                say(f"{run.spool.kept} items are done: go on with --resume")
            raise


def _here(
    options: _Options,
    asked: ModelSpec | Path,
    models_dir: Place | None,
    workers: int | None,
) -> Outcome:
    from runtime.config import load_settings
    from runtime.process.cores import usable_cores
    from runtime.scoring.crew import Order, in_processes
    from runtime.scoring.local import LocalModel, find_version, options_of
    from runtime.scoring.work import Work

    flags = {"model_dir": str(models_dir)} if models_dir else {}
    config = load_settings(flags=flags).config
    version = find_version(config, asked)
    model = LocalModel(version, options_of(config, options.batch))
    engine = model.open()
    facts = model.facts(engine)
    run = options.prepare(facts)
    kept = tuple(column.name for column in run.source.kept)

    def crew(chunks: int) -> AbstractContextManager[Answer]:
        work = Work(engine, facts, run.form, kept)
        order = Order(model, facts, run.form, kept)
        count = min(workers or usable_cores(), chunks)
        return in_processes(work, order, count, chunks)

    return options.go(run, crew)


def _by_server(
    options: _Options, place: ServicePlace, asked: ModelSpec, workers: int
) -> Outcome:
    from runtime.scoring.crew import in_threads
    from runtime.scoring.remote import RemoteEngine, find_facts
    from runtime.scoring.work import Work

    with place.asked(patiently=False) as client:
        facts = find_facts(client, asked)
    run = options.prepare(facts)
    kept = tuple(column.name for column in run.source.kept)
    with place.asked(patiently=True) as client:
        work = Work(RemoteEngine(client, facts), facts, run.form, kept)
        return options.go(run, lambda chunks: in_threads(work, workers))
