"""``GET /status``: the machine and this process, with TFaaS's keys and more."""

from __future__ import annotations

import os
import platform
import threading
import time
from typing import Any, TypedDict

import falcon
import onnxruntime
import psutil

from bundle import __version__
from bundle.quick_decoders import decoders
from runtime.config import Config
from runtime.http.environ_keys import LOOP
from runtime.models.registry import ModelRegistry
from runtime.process.cores import usable_cores
from runtime.telemetry import reading
from runtime.telemetry.metrics import requests_answered
from runtime.walls import standing

# The kernel counts in hundredths of a second. Over less than this time a percentage is
# noise.
_LEAST_SECONDS = 0.5


class LoadStatus(TypedDict):
    """The machine's load over one, five and fifteen minutes."""

    load1: float
    load5: float
    load15: float


class MemoryStatus(TypedDict):
    """A memory, in bytes."""

    total: int
    free: int
    used: int
    usedPercent: float


class MemoriesStatus(TypedDict):
    """The machine's memories."""

    Virtual: MemoryStatus
    Swap: MemoryStatus


class WallsStatus(TypedDict):
    """The walls around strangers' models.

    Attributes:
        policy: config.json's ``walls``.
        landlock: the kernel's version of Landlock.
        seccomp: whether system calls are guarded.
        runAsUser: config.json's ``runAsUser``.
        missing: the walls that the kernel does not offer.
    """

    policy: str
    landlock: int
    seccomp: bool
    runAsUser: str
    missing: list[str]


class SettingsStatus(TypedDict):
    """The last readings of the settings: at the start, or after SIGHUP.

    Attributes:
        read: the time at which those that hold were read, in unix seconds.
        needRestart: the keys whose new value holds after a restart alone.
        refused: the time of a later reading that was refused, in unix seconds; null if
            the last one was not. The log says why.
    """

    read: float
    needRestart: list[str]
    refused: float | None


class ServiceStatus(TypedDict):
    """The machine and one process of the service.

    Attributes:
        CPU: the use of each core, 0 to 100.
        Load: the machine's load.
        Memory: the machine's memories.
        NGo: the threads of the process.
        Uptime: the seconds since its start.
        getRequests: the requests of GET that all processes answered.
        postRequests: the requests of POST that all processes answered.
        version: the service's version.
        pid: the number of the process.
        python: Python's version.
        onnxruntime: ONNX Runtime's version.
        providers: ONNX Runtime's execution providers.
        decoders: the library that decodes plain images, by format.
        loop: the library that reads the network; null if another server does.
        models: the versions in memory, as ``name:version``.
        workers: the number of processes.
        threads: the threads of each process that answer requests.
        cpus: the cores that the process may use.
        walls: the walls around strangers' models.
        feedback: whether ``POST /feedback`` keeps pictures and rows.
        settings: the last readings of the settings.
    """

    CPU: list[float]
    Load: LoadStatus
    Memory: MemoriesStatus
    NGo: int
    Uptime: float
    getRequests: int
    postRequests: int
    version: str
    pid: int
    python: str
    onnxruntime: str
    providers: list[str]
    decoders: dict[str, str]
    loop: str | None
    models: list[str]
    workers: int
    threads: int
    cpus: int
    walls: WallsStatus
    feedback: bool
    settings: SettingsStatus


class CoreUse:
    """The use of each core since the last call.

    psutil's own cpu_percent keeps a start time for each thread. Among a server's
    threads its answers would begin at different times, and the first of each thread
    would be 0.0. Here the first answer begins with the service, and a call that comes
    too soon gets the last answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._time = time.monotonic()
        self._before = psutil.cpu_times(percpu=True)
        self._percents: list[float] = [0.0] * len(self._before)

    def percents(self) -> list[float]:
        """Return the use of each core, 0 to 100."""
        with self._lock:
            now = time.monotonic()
            if now - self._time >= _LEAST_SECONDS:
                times = psutil.cpu_times(percpu=True)
                # A core may have been taken away or added.
                if len(times) == len(self._before):
                    self._percents = [
                        _busy_percent(before, after)
                        for before, after in zip(self._before, times, strict=True)
                    ]
                self._time, self._before = now, times
            return self._percents


def _busy_percent(before: Any, after: Any) -> float:
    spent: dict[str, float] = {
        name: getattr(after, name) - getattr(before, name) for name in after._fields
    }
    # The time user includes guest, and nice includes guest_nice.
    total = sum(spent.values()) - spent.get("guest", 0) - spent.get("guest_nice", 0)
    idle = spent["idle"] + spent.get("iowait", 0)
    if total <= 0:
        return 0.0
    return round(min(100.0, max(0.0, 100 * (total - idle) / total)), 1)


class Status:
    """``GET /status``: it waits for nothing.

    Args:
        config: the settings.
        registry: the models in memory.
        started: the time of the service's start, by ``time.monotonic``.
    """

    def __init__(self, config: Config, registry: ModelRegistry, started: float) -> None:
        self._config = config
        self._registry = registry
        self._started = started
        self._cores = CoreUse()

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer; the first seven keys are TFaaS's. Requests count in all processes."""
        load1, load5, load15 = psutil.getloadavg()
        described: ServiceStatus = {
            "CPU": self._cores.percents(),
            "Load": {"load1": load1, "load5": load5, "load15": load15},
            "Memory": {
                "Virtual": _memory(psutil.virtual_memory()),
                "Swap": _memory(psutil.swap_memory()),
            },
            # TFaaS counts goroutines; these are threads, with those of the engines.
            "NGo": psutil.Process().num_threads(),
            "Uptime": time.monotonic() - self._started,
            "getRequests": requests_answered("GET"),
            "postRequests": requests_answered("POST"),
            "version": __version__,
            "pid": os.getpid(),
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "providers": onnxruntime.get_available_providers(),
            "decoders": decoders(),
            # Another server than `runtime serve` does not tell it.
            "loop": req.env.get(LOOP),
            "models": self._loaded(),
            # With 0 another server than `runtime serve` runs the application. It is
            # taken to have one process.
            "workers": self._config.workers or 1,
            "threads": self._config.threads,
            "cpus": usable_cores(),
            "walls": self._walls(),
            "feedback": bool(self._config.feedback_dir),
            "settings": self._settings(),
        }
        resp.media = described

    on_head = on_get

    def _walls(self) -> WallsStatus:
        """Describe the walls around strangers' models: the policy, and the kernel's."""
        stands = standing()
        return {
            "policy": self._config.walls,
            "landlock": stands.landlock,
            "seccomp": stands.seccomp,
            "runAsUser": self._config.run_as_user,
            "missing": list(stands.missing),
        }

    def _settings(self) -> SettingsStatus:
        told = reading.last
        return {
            "read": told.read,
            "needRestart": list(told.restart),
            "refused": told.refused,
        }

    def _loaded(self) -> list[str]:
        """List ``name:version`` of each version in this process' memory."""
        return [f"{name}:{version}" for name, version in self._registry.loaded()]


def _memory(memory: Any) -> MemoryStatus:
    return {
        "total": memory.total,
        "free": memory.free,
        "used": memory.used,
        "usedPercent": memory.percent,
    }
