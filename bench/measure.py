"""A run of measurements: in each round, all servers are measured one by one."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from bench.environment import pinned
from bench.errors import BenchError
from bench.limit import LOOPS, pace
from bench.live import Live, running
from bench.load import load
from bench.machine import this_machine
from bench.models import Model, make, parcel
from bench.places import PEERS
from bench.record import Cell, Entry, Limit, Results, Start, key, now
from bench.round import Round
from bench.server import Server
from bench.wire import Request
from bench.work import CONNECTIONS, Work
from bundle import __version__
from runtime.process.cores import usable_cores

# This many seconds of load before the first figure let every worker load the model.
_WARM_UP = 1
# A loop without a server varies less, so it runs for fewer seconds.
_LOOP_SECONDS = 2.0
# Other programs and other virtual machines slow a core down, so that all code takes up
# to four times as much processor time. Their work changes within seconds, so the limit
# is measured for this many seconds before and after each load.
_LIMIT_SECONDS = 1.0
# The shares of the mixed work's requests, in percent.
_IMAGES, _TENSORS, _UPLOADS = 90, 9, 1
# The tables name these packages of each environment.
_TOLD = {
    "naive": ("falcon", "granian", "waitress"),
    "fastapi": ("fastapi", "uvicorn"),
    "flask": ("flask", "gunicorn"),
    "mlserver": ("mlserver",),
    "bentoml": ("bentoml",),
    "litserve": ("litserve",),
    "ray": ("ray",),
    "triton": ("nvidia-pytriton",),
}
_OURS = (
    "falcon",
    "uvloop",
    "httptools",
    "greenlet",
    "waitress",
    "onnxruntime",
    "pyspng",
    "simplejpeg",
    "pillow",
    "numpy",
)

Save = Callable[[], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Attributes:
        servers: the servers, in the order of a round.
        works: the works that each server gets.
        rounds: the number of rounds through all servers.
        seconds: the length of each load.
        loops: measure the loops without a server, too.
    """

    servers: Sequence[Server]
    works: Sequence[Work]
    rounds: int
    seconds: int
    loops: bool = True


@dataclass
class Run:
    """A run that adds its figures to the results.

    Attributes:
        plan: the plan of the run.
        results: the results that get the figures.
        save: is called after each new figure.
        tell: is called with a line about each step.
        began: the time at which the run began.
    """

    plan: Plan
    results: Results
    save: Save
    tell: Tell
    began: str = field(default_factory=now)

    def go(self) -> None:
        """Measure everything; a server that fails is noted, and the others go on."""
        self.results.runs[self.began] = this_machine()
        names = dict.fromkeys(work.model for work in self.plan.works)
        models = {name: make(name) for name in names}
        failed: set[tuple[str, str]] = set()
        for server in self.plan.servers:
            self._entry(server).failure = ""
        for number in range(1, self.plan.rounds + 1):
            self.tell(f"round {number} of {self.plan.rounds}")
            for server in self.plan.servers:
                for model in models.values():
                    if (server.name, model.name) not in failed and not self._try(
                        server, model
                    ):
                        failed.add((server.name, model.name))
                    self.save()
            if self.plan.loops:
                self._loops(models.values())
                self.save()

    def _try(self, server: Server, model: Model) -> bool:
        entry = self._entry(server)
        try:
            with running(server, model) as live:
                start = entry.starts.get(model.name)
                if start is None or start.run != self.began:
                    start = entry.starts[model.name] = Start(self.began)
                start.seconds.append(round(live.start_seconds, 2))
                for work in self.plan.works:
                    if work.model == model.name:
                        self._measure(server, model, work, live)
                start.mib.append(round(live.memory_mib(), 1))
        except (BenchError, OSError) as ex:
            entry.failure = f"{model.name}: {ex}"
            self.tell(f"{server.name}: {entry.failure}")
            return False
        return True

    def _measure(self, server: Server, model: Model, work: Work, live: Live) -> None:
        entry = self._entry(server)
        cells = [self._cell(entry, work, count) for count in CONNECTIONS]
        try:
            requests = requests_of(server, model, work, live)
            if not requests:
                for count in CONNECTIONS:
                    del entry.cells[key(work.key, count)]
                return
            load(live, requests, max(CONNECTIONS), _WARM_UP)
            before = limit_us(work, model)
            for cell, count in zip(cells, CONNECTIONS, strict=True):
                cell.protocol = requests[0][1].protocol
                found = load(live, requests, count, self.plan.seconds)
                after = limit_us(work, model)
                found = replace(found, limit_us=_mean(before, after))
                before = after
                cell.rounds.append(found)
                self.tell(f"{server.name:16} {work.key} c={count:<3}{_figures(found)}")
        except (BenchError, OSError) as ex:
            self.tell(f"{server.name:16} {work.key}: {ex}")
            for cell in cells:
                cell.failure = str(ex)

    def _loops(self, models: Iterable[Model]) -> None:
        by_name = {model.name: model for model in models}
        # Larger batches of the same loop are told beside it.
        keys = {work.limit[:1] for work in self.plan.works}
        for loop in LOOPS:
            if loop.key[0] not in keys:
                continue
            limit = self.results.limits.get(loop.key)
            if limit is None or limit.run != self.began:
                limit = self.results.limits[loop.key] = Limit(self.began)
            for processes, speeds, times in (
                (1, limit.core, limit.core_us),
                (usable_cores(), limit.machine, limit.machine_us),
            ):
                found = pace(loop, by_name[loop.model], processes, _LOOP_SECONDS)
                speeds.append(found.images_per_second)
                times.append(found.image_us)
            self.tell(
                f"{loop.title}: {limit.core[-1]:.0f} images/s a core,"
                f" {limit.machine[-1]:.0f} in all, {limit.machine_us[-1]:.1f} us each"
            )

    def _entry(self, server: Server) -> Entry:
        entry = self.results.servers.setdefault(
            server.name, Entry(server.title, server.setup, {})
        )
        entry.title, entry.setup = server.title, server.setup
        entry.versions = versions_of(server)
        return entry

    def _cell(self, entry: Entry, work: Work, connections: int) -> Cell:
        place = key(work.key, connections)
        cell = entry.cells.get(place)
        if cell is None or cell.run != self.began:
            cell = entry.cells[place] = Cell(self.began)
        return cell


def _figures(found: Round) -> str:
    """Write the figures of one load for the terminal."""
    times = "".join(
        f"{name} {us:.0f} us, "
        for name, us in (
            ("server", found.server_us),
            ("load", found.load_us),
            ("limit", found.limit_us),
        )
        if us is not None
    )
    share = "" if found.of_limit is None else f"{found.of_limit:5.2f} of the limit: "
    return (
        f"{share}{times}{found.requests_per_second:9.1f} req/s"
        f"{found.p50_ms:9.2f} / {found.p99_ms:.2f} ms"
        + (f"  {found.errors} ERRORS" if found.errors else "")
    )


def limit_us(work: Work, model: Model) -> float | None:
    """Measure the limit now: the loop's processor time for the images of one request.

    Returns:
        The time in microseconds while all cores are busy; None if the work has no loop.
    """
    for loop in LOOPS:
        if loop.key == work.limit:
            found = pace(loop, model, usable_cores(), _LIMIT_SECONDS)
            return round(found.image_us * work.images, 1)
    return None


def _mean(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round((before + after) / 2, 1)


def requests_of(
    server: Server, model: Model, work: Work, live: Live
) -> list[tuple[int, Request]]:
    """Make a work's requests, with their shares in percent, and try each once.

    Returns:
        The requests; none if the server has no such work.

    Raises:
        BenchError: the server answers a request wrongly.
    """
    if work.kind == "mixed":
        if not server.is_ours:
            return []
        # The uploads replace another model, so that the answers stay the same.
        onnx = server.variables.get("TFAAS_ONNX") != "off"
        bundle = upload(parcel(model, "candidate", onnx=onnx))
        live.ask(bundle)
        asked = model.asked.first(1)
        image = server.protocols["image"](asked)
        tensor = server.protocols["tensor"](asked)
        live.check(image, asked)
        live.check(tensor, asked)
        return [(_IMAGES, image), (_TENSORS, tensor), (_UPLOADS, bundle)]
    if work.kind not in server.protocols:
        return []
    asked = model.asked.first(work.images)
    request = server.protocols[work.kind](asked)
    live.check(request, asked)
    return [(100, request)]


def versions_of(server: Server) -> dict[str, str]:
    """List the versions of a server's packages."""
    if server.is_ours:
        told = {name: importlib.metadata.version(name) for name in _OURS}
        return {"tfaas-onnx": __version__, **told}
    found = pinned(PEERS / server.peer / "requirements.txt")
    common = ("onnxruntime", "pillow", "numpy")
    return {name: found[name] for name in (*_TOLD[server.peer], *common)}


def upload(content: bytes) -> Request:
    """Make the upload of a bundle.

    Args:
        content: the bundle as tar.gz.
    """
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "gzip",
    }
    return Request("/upload", headers, content, "upload")
