"""The ways of scoring: in processes here, by a server, or on a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.objects.address import Place
from bundle.spec import ModelSpec
from runtime.cli.output import say

if TYPE_CHECKING:  # --help must not wait for an engine.
    from runtime.config import Config
    from runtime.scoring.chunks import Source
    from runtime.scoring.crew import Answer
    from runtime.scoring.facts import Facts
    from runtime.scoring.remote import ServicePlace
    from runtime.scoring.run import Outcome, Run, Tell


@dataclass(frozen=True)
class Scoring:
    """The options that all ways of scoring have, and these ways.

    Attributes:
        inputs: the files, folders or URLs with the items.
        out: the file, or the folder or URL, of the scores.
        rejects: the file of the items that cannot be scored.
        key: the array of a .npz, or the tree of a .root; empty if there is one.
        keep: the columns that are copied to the output.
        batch: the items of one run.
        resume: whether to go on with a run that was ended.
        force: whether to replace the output.
    """

    inputs: tuple[Place, ...]
    out: Place
    rejects: Place
    key: str
    keep: tuple[str, ...]
    batch: int
    resume: bool
    force: bool

    def here(
        self,
        asked: ModelSpec | Path,
        models_dir: Place | None,
        workers: int | None,
    ) -> Outcome:
        """Score in processes of this machine.

        Args:
            asked: the model, or a bundle's folder.
            models_dir: the store; None takes config.json's.
            workers: the number of processes; None takes one a core.
        """
        from runtime.process.cores import usable_cores
        from runtime.scoring.crew import Order, in_processes
        from runtime.scoring.local import LocalModel, find_version, options_of
        from runtime.scoring.work import Work

        config = _config(models_dir)
        version = find_version(config, asked)
        model = LocalModel(version, options_of(config, self.batch))
        engine = model.open()
        facts = model.facts(engine)
        run = self._prepare(facts)
        kept = tuple(column.name for column in run.source.kept)

        def crew(chunks: int) -> AbstractContextManager[Answer]:
            work = Work(engine, facts, run.form, kept)
            order = Order(model, facts, run.form, kept)
            count = min(workers or usable_cores(), chunks)
            return in_processes(work, order, count, chunks)

        return self._go(run, crew)

    def by_server(self, place: ServicePlace, asked: ModelSpec, workers: int) -> Outcome:
        """Score by a server.

        Args:
            place: the server.
            asked: the model.
            workers: the requests that are on their way at once.
        """
        from runtime.scoring.crew import in_threads
        from runtime.scoring.remote import RemoteEngine, find_facts
        from runtime.scoring.work import Work

        with place.asked(patiently=False) as client:
            facts = find_facts(client, asked)
        run = self._prepare(facts)
        kept = tuple(column.name for column in run.source.kept)
        with place.asked(patiently=True) as client:
            work = Work(RemoteEngine(client, facts), facts, run.form, kept)
            return self._go(run, lambda chunks: in_threads(work, workers))

    def on_cluster(
        self,
        asked: ModelSpec | Path,
        models_dir: Place | None,
        address: str,
        takes: tuple[int | None, float, float],
    ) -> Outcome:
        """Score on a cluster of Ray.

        Args:
            asked: the model, or a bundle's folder.
            models_dir: the store; None takes config.json's.
            address: the cluster's; empty starts one on this machine.
            takes: the number of processes, or None for as many as fit; and the CPUs and
                GPUs of each.
        """
        from runtime.ray.cluster import connected, require_ray

        require_ray("--ray")
        from runtime.ray.output import PartFolder
        from runtime.ray.rejects import RejectsFile
        from runtime.ray.run import ClusterRun
        from runtime.scoring.local import LocalModel, find_version, options_of

        output, rejects = PartFolder(self.out), RejectsFile(self.rejects)
        config = _config(models_dir)
        model = LocalModel(find_version(config, asked), options_of(config, self.batch))
        # This machine needs no GPU, and opens the model only to look at it.
        looked_at = replace(model, options=replace(model.options, provider="auto"))
        facts = looked_at.facts(looked_at.open())
        source = self._source(facts)
        run = ClusterRun(
            source,
            facts,
            model,
            config,
            output,
            rejects,
            self.batch,
            self._settings("folder"),
            self.inputs,
        )
        before = run.look(resume=self.resume, force=self.force)
        with connected("--ray", address):
            # These import Ray, which takes a second.
            from runtime.ray.scoring import scored
            from runtime.ray.workers import Workers

            workers = Workers(*takes)
            count = workers.counted()
            with self._shown(source, lambda: output.kept) as tell:
                return run.go(before, count, partial(scored, workers, count), tell)

    def _source(self, facts: Facts) -> Source:
        """Look at the input, once the model is known."""
        from runtime.scoring.inputs import open_source

        return open_source(self.inputs, facts, self.key, self.keep)

    def _settings(self, ending: str) -> str:
        """Return the settings on which the rows depend."""
        return json.dumps([self.batch, self.key, self.keep, ending])

    def _prepare(self, facts: Facts) -> Run:
        """Look at the input and the output, once the model is known."""
        from runtime.scoring.forms import form_of
        from runtime.scoring.run import Run
        from runtime.scoring.spool import Spool

        assert isinstance(self.out, Path), "a URL was refused"
        assert isinstance(self.rejects, Path), "a URL was refused"
        source = self._source(facts)
        form = form_of(self.out, source.kept)
        spool = Spool(self.out, self.rejects)
        settings = self._settings(self.out.suffix.lower())
        return Run(source, facts, form, spool, self.batch, settings)

    def _go(
        self, run: Run, crew: Callable[[int], AbstractContextManager[Answer]]
    ) -> Outcome:
        """Score, and show how far it is."""
        with self._shown(run.source, lambda: run.spool.kept) as tell:
            return run.go(crew, tell, resume=self.resume, force=self.force)

    @contextmanager
    def _shown(self, source: Source, kept: Callable[[], int]) -> Iterator[Tell]:
        """Show during the block how far it is, and at a failure what is kept."""
        from runtime.cli.bar import scoring

        try:
            with scoring(source.total) as tell:
                yield tell
        except BaseException:
            if kept():
                say(f"{kept()} items are done: go on with --resume")
            raise


def _config(models_dir: Place | None) -> Config:
    from runtime.config import load_settings

    flags = {"model_dir": str(models_dir)} if models_dir else {}
    return load_settings(flags=flags).config
