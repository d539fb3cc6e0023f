"""``GET /live``: the service's load, for a page that asks each second."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TypedDict

import falcon
import orjson

from bundle.store import ModelStore
from runtime.lane import elsewhere
from runtime.telemetry.load import Load, LoadReader, ModelLoad
from runtime.telemetry.metrics import SECONDS

# The answer is never larger.
MAX_BYTES = 4096


class ModelFigures(TypedDict):
    """The sums of a model since the service began.

    Attributes:
        name: the model's name; empty for the sums of all models.
        requests: its requests.
        failed: those of them that were refused or failed.
        seconds: the time of all its requests.
        queue: the time that requests waited for it.
        runs: the runs of its engine.
        items: the items in these runs.
        buckets: its requests by time: one number for each of the bounds, and one for
            the slower ones.
    """

    name: str
    requests: int
    failed: int
    seconds: float
    queue: float
    runs: int
    items: int
    buckets: list[int]


class LiveFigures(TypedDict):
    """The load of all processes of the service.

    Attributes:
        at: the time of this reading, in seconds of a clock of the machine. Two replies
            may have the same reading, and one of another process may be older.
        state: a text that changes when the answer of ``GET /models`` may have changed.
        in_progress: the requests that are being answered, without this one.
        loaded: the versions in memory, in all processes.
        loaded_bytes: the bytes of their files.
        bounds: the bounds of the buckets, in seconds.
        all: the sums of all models.
        models: the sums of the most used models, as many as there is room for.
    """

    at: float
    state: str
    in_progress: int
    loaded: int
    loaded_bytes: int
    bounds: tuple[float, ...]
    all: ModelFigures
    models: list[ModelFigures]


@dataclass(frozen=True)
class _Answers:
    """The answers of one reading.

    Attributes:
        load: the reading.
        state: the state of the models.
        texts: the answers that somebody asked for, by the model that comes first.
    """

    load: Load
    state: str
    texts: dict[str, bytes] = field(default_factory=dict)


class LiveLoad:
    """``GET /live``: the answer is made once for all who ask within a second.

    Args:
        store: the store, whose folders tell whether a model changed.
        reader: the reader of the metrics.
    """

    def __init__(self, store: ModelStore, reader: LoadReader | None = None) -> None:
        self._store = store
        self._reader = reader or LoadReader()
        self._answers = _Answers(Load(0), "")

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer; the model that ``?model=`` names is among the models, if it can be.

        It is there if it had a request.
        """
        model = req.get_param("model") or ""
        # A reading takes some milliseconds, and may not keep the quick thread.
        answers = elsewhere(self._renewed) if self._reader.is_due else self._answers
        if model not in answers.load.models:
            model = ""
        if model not in answers.texts:
            answers.texts[model] = self._answer(answers, model)
        resp.content_type = falcon.MEDIA_JSON
        resp.data = answers.texts[model]

    on_head = on_get

    def _renewed(self) -> _Answers:
        """Make the answers of the newest reading."""
        load = self._reader.read()
        # Other threads may do the same with the same reading, and get the same answers.
        if load is not self._answers.load:
            self._answers = _Answers(load, self._state(load))
        return self._answers

    def _answer(self, answers: _Answers, first: str) -> bytes:
        load = answers.load
        total = ModelLoad()
        for sums in load.models.values():
            total.add(sums)
        figures = LiveFigures(
            at=round(load.at, 3),
            state=answers.state,
            in_progress=max(0, load.in_progress - 1),
            loaded=load.loaded,
            loaded_bytes=load.loaded_bytes,
            bounds=SECONDS,
            all=_figures("", total),
            models=[],
        )
        room = MAX_BYTES - len(orjson.dumps(figures))
        by_use = sorted(load.models.items(), key=lambda one: -one[1].requests)
        for name, sums in sorted(by_use, key=lambda one: one[0] != first):
            model = _figures(name, sums)
            room -= len(orjson.dumps(model)) + 1
            if room < 0:
                break
            figures["models"].append(model)
        return orjson.dumps(figures)

    def _state(self, load: Load) -> str:
        """Make a text of all that changes when a model's state changes.

        A folder's time changes with its versions and labels; see ``bundle.store``.
        """
        folders = []
        for name in self._store.names():
            try:
                folders.append((name, (self._store.root / name).stat().st_mtime_ns))
            except OSError:  # somebody deleted it after the names were read
                continue
        seen = repr((load.events, load.loaded, folders)).encode()
        return f"{zlib.crc32(seen):08x}"


def _figures(name: str, sums: ModelLoad) -> ModelFigures:
    return ModelFigures(
        name=name,
        requests=sums.requests,
        failed=sums.failed,
        seconds=round(sums.seconds, 4),
        queue=round(sums.queue, 4),
        runs=sums.runs,
        items=sums.items,
        buckets=sums.buckets,
    )
