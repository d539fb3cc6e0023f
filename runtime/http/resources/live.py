"""``GET /live``: the service's load, for a page that asks each second."""

from __future__ import annotations

import zlib
from typing import TypedDict

import falcon
import orjson

from bundle.store import ModelStore
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


class LiveLoad:
    """``GET /live``: the answer is made once for all who ask within half a second.

    Args:
        store: the store, whose folders tell whether a model changed.
        reader: the reader of the metrics.
    """

    def __init__(self, store: ModelStore, reader: LoadReader | None = None) -> None:
        self._store = store
        self._reader = reader or LoadReader()
        self._load: Load | None = None
        self._answers: dict[str, bytes] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer; the model that ``?model=`` names is among the models, if it can be.

        It is there if it had a request.
        """
        load = self._reader.read()
        # Other threads may do the same with the same reading, and get the same answer.
        if load is not self._load:
            self._load, self._answers = load, {}
        answers = self._answers
        model = req.get_param("model") or ""
        model = model if model in load.models else ""
        if model not in answers:
            answers[model] = self._answer(load, model)
        resp.content_type = falcon.MEDIA_JSON
        resp.data = answers[model]

    on_head = on_get

    def _answer(self, load: Load, first: str) -> bytes:
        total = ModelLoad()
        for sums in load.models.values():
            total.add(sums)
        figures = LiveFigures(
            at=round(load.at, 3),
            state=self._state(load),
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
