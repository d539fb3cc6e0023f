"""``runtime serve``: worker processes, each with a socket of one port.

The sockets are bound and listen before any worker starts, and the parent keeps them. A
client that connects while a worker starts, ends or is killed waits in the kernel's
queue, and the next worker of that socket answers it. The parent imports no engine and
builds no application. Each worker builds its own, and tells the parent by a pipe that
it is built, or why it cannot be.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from runtime.config import Config, Settings
from runtime.preflight import check_config
from runtime.process.cores import usable_cores
from runtime.server.listener import listening, reserved
from runtime.server.parent import Parent
from runtime.telemetry.counters import counters_folder
from runtime.telemetry.logs import set_up_logs

logger = logging.getLogger(__name__)


def serve(settings: Settings, read: Callable[[], Settings]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in hand are answered first.

    Args:
        settings: the settings, with sentences for the log on what is seldom meant.
        read: reads them anew after SIGHUP, from the same places.

    Raises:
        Failed: a port is taken, or the workers end as soon as they start.
        WrongInput: there is no such host.
        DomainError: a setting is wrong, or the store cannot be read.
    """
    config = settings.config
    doubts = (*settings.doubts, *check_config(config))
    # The parent's few lines go into the service's log, in its format.
    set_up_logs(config)
    for doubt in doubts:
        logger.warning("%s", doubt)
    workers = count_workers(config)
    with (
        listening(config, workers) as listeners,
        reserved(config) as grpc_address,
        counters_folder(workers) as made,
    ):
        Parent(config, read, listeners, made, grpc_address).run()


def count_workers(config: Config) -> int:
    """Return the number of processes: config.json's ``workers``, or one that fits."""
    if config.workers:
        return config.workers
    if config.provider == "cuda" or (config.provider == "auto" and _has_cuda()):
        return 1
    return usable_cores()


def _has_cuda() -> bool:
    """Tell whether onnxruntime would take CUDA, without an import of onnxruntime."""
    spec = find_spec("onnxruntime")
    folders = (spec.submodule_search_locations or []) if spec else []
    library = "capi/libonnxruntime_providers_cuda.so"
    return any((Path(folder) / library).exists() for folder in folders) and any(
        Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")
    )
