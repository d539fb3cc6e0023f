"""The findings: the faults that would stop the start, and the doubts."""

from __future__ import annotations

import ipaddress
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bundle.errors import DomainError, StoreError
from bundle.folder import open_bundle
from bundle.terminal import Failed, WrongInput
from runtime import walls
from runtime.access.gate import gate_of
from runtime.config import Config
from runtime.doctor.engines import why_no_cuda
from runtime.doctor.machine import clock_faults, folders_of, free_bytes
from runtime.mirroring import open_served
from runtime.preflight import CHECKS
from runtime.process.memory import usable_memory
from runtime.server.front import CONNECTIONS
from runtime.server.listener import listening, reserved

# Only so many broken models are named; the rest are counted.
_NAMED = 5
# Python takes so much memory with ONNX Runtime, without any model.
_WORKER_BYTES = 64 << 20
# Less room than this is soon full of logs and uploads.
_LEAST_FREE_BYTES = 1 << 30
# The manifests of deploy/ have the least: 35 s, of which preStop takes 10.
GRACE_SECONDS = 25


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or doubtful.

    Attributes:
        stops: whether the service would not start, or not answer.
        sentence: the fault or doubt, with a remedy.
    """

    stops: bool
    sentence: str


def findings_of(
    config: Config, workers: int, is_served: Callable[[], bool]
) -> list[Finding]:
    """Return what is wrong or doubtful; what stops the start comes first.

    Args:
        config: the settings.
        workers: the number of workers that would serve.
        is_served: tells whether the service of these settings runs already.
    """
    found: list[Finding] = []
    checks: tuple[Callable[[Config], Iterable[str]], ...] = (
        *CHECKS,
        _of_walls,
        _of_cuda,
        lambda config: _of_ports(config, is_served),
        _of_access,
        _of_models,
        lambda config: _of_memory(config, workers),
        _of_disks,
        _of_open_files,
        _of_end,
        lambda config: clock_faults(config.store_folder),
    )
    for check in checks:
        try:
            found += [Finding(False, sentence) for sentence in check(config)]
        except (DomainError, Failed, WrongInput) as ex:
            found.append(Finding(True, str(ex)))
    # Two checks may need the same file.
    return sorted(dict.fromkeys(found), key=lambda one: not one.stops)


def _of_walls(config: Config) -> Iterator[str]:
    walls.check(config.walls, config.run_as_user)
    stands = walls.standing()
    if config.walls == "off":
        yield "'walls' is 'off': other people's models may do what this user may"
    elif config.walls == "require" and not stands.is_whole:
        yield walls.sentence(config.walls, config.run_as_user)
    else:
        yield from stands.missing


def _of_cuda(config: Config) -> Iterator[str]:
    why = why_no_cuda()
    if why and config.provider == "cuda":
        raise Failed(f"'provider' is 'cuda': {why}; see docs/installing.md, On a GPU")
    yield from ()


def _of_ports(config: Config, is_served: Callable[[], bool]) -> Iterator[str]:
    if not (config.port or config.grpc_port):
        return  # a free one is taken
    try:
        with listening(config, 1), reserved(config):
            pass
    except Failed as ex:
        if not is_served():
            raise
        yield f"{ex}; a service answers there, perhaps this one"


def _of_access(config: Config) -> Iterator[str]:
    try:
        gate = gate_of(config)
    except DomainError:  # another check says so
        return
    if _is_loopback(config.host):
        return
    here = f"'host' is {config.host}"
    if not gate.asks_for_writes:
        yield (
            f"{here} and there are no 'writeTokens': other machines can upload nothing"
        )
    if not gate.asks_for_reads:
        yield (
            f"{here} and there are no 'predictTokens': whoever reaches the port may"
            " predict, and read the models"
        )
    elif not config.server_key:
        yield (
            f"{here} and 'serverKey' is not set: tokens cross the network in clear"
            " text, unless a proxy in front speaks TLS"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _of_models(config: Config) -> Iterator[str]:
    """Open the files of each model that serves; no engine loads one."""
    store = open_served(config).here
    broken = []
    try:
        for name in store.names():
            try:
                open_bundle(store.current(name).path)
            except (DomainError, OSError) as ex:
                broken.append(f"{name}: {ex}")
    except StoreError as ex:
        yield str(ex)
        return
    if broken:
        more = len(broken) - _NAMED
        yield (
            f"{len(broken)} model{'s' * (len(broken) != 1)} of the store cannot be"
            f" opened: {'; '.join(broken[:_NAMED])}"
            + (f"; and {more} more" if more > 0 else "")
        )


def memory_estimate(config: Config, workers: int) -> int:
    """Estimate the bytes that all workers take with the models of the store.

    Each worker holds its own copy of a model, up to ``cacheBytes``. An engine takes
    more than the files while it runs, and how much is not known here.
    """
    store = open_served(config).here
    total = 0
    try:
        for name in store.names():
            try:
                path = store.current(name).path
                total += sum(f.stat().st_size for f in path.rglob("*.onnx"))
            except (DomainError, OSError):
                continue
    except StoreError:
        pass
    return workers * (_WORKER_BYTES + min(total, config.cache_bytes))


def _of_memory(config: Config, workers: int) -> Iterator[str]:
    needed, there = memory_estimate(config, workers), usable_memory()
    if needed > there:
        yield (
            f"{workers} workers with all models of the store take some {needed} bytes"
            f" of memory, and {there} may be used; lower 'workers' or 'cacheBytes'"
        )


def _of_disks(config: Config) -> Iterator[str]:
    for key, folder in folders_of(config):
        free = free_bytes(folder)
        if free is not None and free < _LEAST_FREE_BYTES:
            yield f"{folder} ({key}) has only {free} free bytes"


def _of_open_files(config: Config) -> Iterator[str]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS:
        yield (
            f"a process may have {hard} files open, which is less than the"
            f" {CONNECTIONS} connections of a worker; raise the hard limit"
            " (ulimit -Hn, LimitNOFILE)"
        )


def _of_end(config: Config) -> Iterator[str]:
    if config.drain_seconds >= GRACE_SECONDS:
        yield (
            f"'drainSeconds' is {config.drain_seconds}: the service is killed before"
            " that, unless TimeoutStopSec of systemd, terminationGracePeriodSeconds of"
            " Kubernetes or stop_grace_period of compose is longer"
        )
