"""Measurements of this project's server while its store grows or changes."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.live import Live, running
from bench.load import load
from bench.machine import this_machine
from bench.measure import upload
from bench.models import STORE, Model, make, parcel
from bench.record import Results, now
from bench.round import Round
from bench.server import BY_NAME
from bench.wire import Request
from runtime.process.cores import usable_cores

_CONNECTIONS = 8
# A long load is made in pieces of this many seconds.
_TURN = 10
_WARM_UP = 1
# A conversion imports TensorFlow and proves its result within this many seconds.
_CONVERSION_SECONDS = 30
# Growing memory shows after this many requests, or this many new versions.
_REQUESTS = 1_000_000
_RELOADS = 200
# Each open page asks for the live figures once a second.
_PAGES = 100
# The pause between two uploads or two switches of the version, in seconds.
_PAUSE = 0.5


def grow(
    results: Results,
    save: Callable[[], None],
    tell: Callable[[str], None],
    seconds: int,
) -> None:
    """Measure each line of the table, and put it into the results.

    Args:
        results: the results that get the lines.
        save: is called after each new line.
        tell: is called with the text of each new line.
        seconds: the length of a load.
    """
    run = now()
    results.runs[run] = this_machine()
    model = make("mnist")
    for given, what, measure in _lines(model, seconds):
        try:
            figure = measure()
        except (BenchError, OSError) as ex:
            figure = f"failed: {ex}"
        line: dict[str, Any] = {"with": given, "what": what, "figure": figure}
        results.growth[f"{given}, {what}"] = {**line, "run": run}
        tell(f"{given}: {what}: {figure}")
        save()


def _lines(model: Model, seconds: int) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """List the lines: the condition, the measured quantity, and the measurement."""
    throughput = f"requests a second, c={_CONNECTIONS}; p50 / p99 ms"
    for models, versions in ((1, 1), (10, 1), (100, 1), (1, 50)):
        yield (
            _stored(models, versions),
            throughput,
            lambda m=models, v=versions: _loaded(model, m, v, seconds),  # type: ignore[misc]
        )
    for models in (1, 1000):
        yield (
            _stored(models, 1),
            "seconds to the first answer",
            lambda m=models: _started(model, m),  # type: ignore[misc]
        )
    memory = "MiB of the largest process after a tenth, at the end"
    yield f"{_REQUESTS:,} requests", memory, lambda: _kept(model)
    yield f"{_RELOADS} versions uploaded", memory, lambda: _reloaded(model)
    for given, act, least in (
        ("nothing else", None, seconds),
        (f"{_PAGES} open pages with live charts", _watch, seconds),
        ("an upload every half second", _upload, seconds),
        ("the version switched every half second", _switch, seconds),
        ("an upload and its conversion", _convert, _CONVERSION_SECONDS),
    ):
        yield (
            given,
            throughput,
            lambda a=act, s=least: _beside(model, a, max(seconds, s)),  # type: ignore[misc]
        )


def _stored(models: int, versions: int) -> str:
    """Describe a store, such as ``100 models`` or ``1 model, 50 versions``."""
    text = "1 model" if models == 1 else f"{models:,} models"
    return text if versions == 1 else f"{text}, {versions} versions"


def _loaded(model: Model, models: int, versions: int, seconds: int) -> str:
    with _serving(model, models, versions) as live:
        return _told(_load(live, model, seconds))


def _started(model: Model, models: int) -> str:
    with _serving(model, models, 1) as live:
        return f"{live.start_seconds:.2f}"


def _kept(model: Model) -> str:
    with _serving(model, 1, 1) as live:
        tenth = _send(live, model, _REQUESTS // 10)
        return f"{tenth:.0f}, {_send(live, model, _REQUESTS * 9 // 10):.0f}"


def _send(live: Live, model: Model, requests: int) -> float:
    """Send at least this many requests, and measure the memory after them."""
    while requests > 0:
        found = _load(live, model, _TURN)
        if found.errors:
            raise BenchError(f"{found.errors} requests failed")
        requests -= int(found.requests_per_second * _TURN)
    return live.largest_mib()


def _reloaded(model: Model) -> str:
    """Upload many versions, and ask each one; the store keeps only the last few."""
    request = BY_NAME["ours"].protocols["image"](model.asked.first(1))
    found = []
    with _serving(model, 1, 1) as live:
        for number in range(1, _RELOADS + 1):
            live.ask(upload(parcel(model, model.name)))
            # Each request has a connection of its own, so that every process loads it.
            for _ in range(2 * usable_cores()):
                live.check(request, model.asked.first(1))
            if number in (_RELOADS // 10, _RELOADS):
                found.append(live.largest_mib())
    return ", ".join(f"{mib:.0f}" for mib in found)


def _beside(
    model: Model, act: Callable[[Live, Model, int], None] | None, s: int
) -> str:
    """Load the server while something else is done again and again."""
    stop = threading.Event()
    failures: list[str] = []
    with _serving(model, 1, 2) as live:

        def do() -> None:
            number = 0
            try:
                while act is not None and not stop.is_set():
                    act(live, model, number)
                    number += 1
                    stop.wait(_PAUSE)
            except (BenchError, OSError) as ex:
                failures.append(str(ex))

        _load(live, model, _WARM_UP)
        thread = threading.Thread(target=do)
        thread.start()
        try:
            found = _load(live, model, s)
        finally:
            stop.set()
            thread.join()
    if failures:
        raise BenchError(failures[0])
    return _told(found)


def _watch(live: Live, model: Model, number: int) -> None:
    """Ask as all open pages together do until the next pause is over."""
    connection = http.client.HTTPConnection("127.0.0.1", live.port)
    try:
        for _ in range(round(_PAGES * _PAUSE)):
            connection.request("GET", f"/live?model={model.name}")
            reply = connection.getresponse()
            if reply.status != 200 or not reply.read():
                raise BenchError(f"/live answered {reply.status}")
    finally:
        connection.close()


def _upload(live: Live, model: Model, number: int) -> None:
    live.ask(upload(parcel(model, "candidate")))


def _switch(live: Live, model: Model, number: int) -> None:
    content = json.dumps({"version": 1 + number % 2}).encode()
    headers = {"Content-Type": "application/json"}
    label = Request("/models/mnist/labels/stable", headers, content, "")
    live.ask(label, "PUT")


def _convert(live: Live, model: Model, number: int) -> None:
    if number > 0:
        return
    live.ask(upload(parcel(model, "candidate", onnx=False)))
    deadline = time.monotonic() + _CONVERSION_SECONDS
    while not (live.store / "candidate" / "1" / "model.onnx").exists():
        if time.monotonic() > deadline:
            raise BenchError(
                f"the conversion did not end within {_CONVERSION_SECONDS} s"
            )
        time.sleep(_PAUSE)


@contextmanager
def _serving(model: Model, models: int, versions: int) -> Iterator[Live]:
    def fill(store: Path) -> None:
        for number in range(1, versions + 1):
            shutil.copytree(STORE / model.name / "1", store / model.name / str(number))
        for number in range(1, models):
            _other(model, store / f"other-{number}" / "1")

    with running(BY_NAME["ours"], model, fill) as live:
        _load(live, model, _WARM_UP)
        yield live


def _other(model: Model, folder: Path) -> None:
    """Write a model that nobody asks, with its ONNX alone."""
    folder.mkdir(parents=True)
    params = json.loads(model.onnx.with_name("params.json").read_bytes())
    params["name"] = folder.parent.name
    (folder / "params.json").write_text(json.dumps(params))
    for name in ("labels.txt", "model.onnx"):
        shutil.copyfile(model.onnx.with_name(name), folder / name)


def _load(live: Live, model: Model, seconds: int) -> Round:
    request = BY_NAME["ours"].protocols["image"](model.asked.first(1))
    return load(live, [(100, request)], _CONNECTIONS, seconds)


def _told(found: Round) -> str:
    errors = f", {found.errors} ERRORS" if found.errors else ""
    return (
        f"{found.requests_per_second:,.0f};"
        f" {found.p50_ms:.2f} / {found.p99_ms:.2f}{errors}"
    )
