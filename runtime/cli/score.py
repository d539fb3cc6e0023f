"""``runtime score``: the scores of many items, by a model here or on a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bundle.objects.address import Place, place_of, shown
from bundle.spec import ModelSpec, read_spec
from bundle.terminal import StorePlace, WrongInput
from runtime.cli.output import echo, say, sentences
from runtime.cli.server import PROOF, read_token
from runtime.scoring.files import rejects_of

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.config import Config
    from runtime.scoring.chunks import Source
    from runtime.scoring.crew import Answer
    from runtime.scoring.facts import Facts
    from runtime.scoring.remote import ServicePlace
    from runtime.scoring.run import Outcome, Run, Tell

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


class _Place(click.ParamType[Place]):
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


@click.command()
@click.argument(
    "inputs",
    nargs=-1,
    required=True,
    metavar="INPUT...",
    type=_Place(exists=True),
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
    type=_Place(),
    required=True,
    metavar="FILE.csv|.jsonl|.parquet",
    help="Write the scores into this file; with --ray into this folder, or URL of an"
    " object store, of Parquet files.",
)
@click.option(
    "--rejects",
    type=_Place(),
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
    options = _Options(inputs, out, rejects, key, columns, batch, resume, force)
    with sentences():
        if url:
            from runtime.scoring.remote import ServicePlace

            service = ServicePlace(url, cacert, read_token(token_file), token_header)
            assert not isinstance(asked, Path), "it was refused above"
            outcome = _by_server(options, service, asked, workers or _REQUESTS)
        elif by_ray:
            takes = (workers, 1.0 if cpus is None else cpus, gpus or 0.0)
            outcome = _on_cluster(options, asked, models_dir, address or "", takes)
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


def _is_one(place: Place, inputs: tuple[Place, ...]) -> bool:
    """Tell whether an output is one of the inputs, which would be lost."""
    if isinstance(place, str):
        return place in inputs
    try:
        return any(place.samefile(given) for given in inputs if isinstance(given, Path))
    except OSError:  # it is not there, or cannot be; the spool tells the reason
        return False


@dataclass(frozen=True)
class _Options:
    """The options that all ways of scoring have."""

    inputs: tuple[Place, ...]
    out: Place
    rejects: Place
    key: str
    keep: tuple[str, ...]
    batch: int
    resume: bool
    force: bool

    def source(self, facts: Facts) -> Source:
        """Look at the input, once the model is known."""
        from runtime.scoring.inputs import open_source

        return open_source(self.inputs, facts, self.key, self.keep)

    def settings(self, ending: str) -> str:
        """Return the settings on which the rows depend."""
        return json.dumps([self.batch, self.key, self.keep, ending])

    def prepare(self, facts: Facts) -> Run:
        """Look at the input and the output, once the model is known."""
        from runtime.scoring.forms import form_of
        from runtime.scoring.run import Run
        from runtime.scoring.spool import Spool

        assert isinstance(self.out, Path), "a URL was refused"
        assert isinstance(self.rejects, Path), "a URL was refused"
        source = self.source(facts)
        form = form_of(self.out, source.kept)
        spool = Spool(self.out, self.rejects)
        settings = self.settings(self.out.suffix.lower())
        return Run(source, facts, form, spool, self.batch, settings)

    def go(
        self, run: Run, crew: Callable[[int], AbstractContextManager[Answer]]
    ) -> Outcome:
        """Score, and show how far it is."""
        with self.shown(run.source, lambda: run.spool.kept) as tell:
            return run.go(crew, tell, resume=self.resume, force=self.force)

    @contextmanager
    def shown(self, source: Source, kept: Callable[[], int]) -> Iterator[Tell]:
        """Show during the block how far it is, and at a failure what is kept."""
        from runtime.cli.bar import scoring

        try:
            with scoring(source.total) as tell:
                yield tell
        except BaseException:
            if kept():
                say(f"{kept()} items are done: go on with --resume")
            raise


def _here(
    options: _Options,
    asked: ModelSpec | Path,
    models_dir: Place | None,
    workers: int | None,
) -> Outcome:
    from runtime.process.cores import usable_cores
    from runtime.scoring.crew import Order, in_processes
    from runtime.scoring.local import LocalModel, find_version, options_of
    from runtime.scoring.work import Work

    config = _config(models_dir)
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


def _on_cluster(
    options: _Options,
    asked: ModelSpec | Path,
    models_dir: Place | None,
    address: str,
    takes: tuple[int | None, float, float],
) -> Outcome:
    from runtime.ray.cluster import connected, require_ray

    require_ray("--ray")
    from runtime.ray.output import PartFolder
    from runtime.ray.rejects import RejectsFile
    from runtime.ray.run import ClusterRun
    from runtime.scoring.local import LocalModel, find_version, options_of

    output, rejects = PartFolder(options.out), RejectsFile(options.rejects)
    config = _config(models_dir)
    model = LocalModel(find_version(config, asked), options_of(config, options.batch))
    # This machine needs no GPU, and opens the model only to look at it.
    looked_at = replace(model, options=replace(model.options, provider="auto"))
    facts = looked_at.facts(looked_at.open())
    source = options.source(facts)
    run = ClusterRun(
        source,
        facts,
        model,
        config,
        output,
        rejects,
        options.batch,
        options.settings("folder"),
        options.inputs,
    )
    before = run.look(resume=options.resume, force=options.force)
    with connected("--ray", address):
        # These import Ray, which takes a second.
        from runtime.ray.scoring import scored
        from runtime.ray.workers import Workers

        workers = Workers(*takes)
        count = workers.counted()
        with options.shown(source, lambda: output.kept) as tell:
            return run.go(before, count, partial(scored, workers, count), tell)


def _config(models_dir: Place | None) -> Config:
    from runtime.config import load_settings

    flags = {"model_dir": str(models_dir)} if models_dir else {}
    return load_settings(flags=flags).config


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
