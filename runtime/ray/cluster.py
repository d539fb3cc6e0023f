"""The connection to a cluster of Ray.

``runtime serve --ray``, ``runtime score --ray`` and ``trainer run --ray-workers`` use
it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec

from bundle.terminal import Failed, WrongInput
from runtime.ray.internals import quiet_driver

# Ray's own variable for the address of a cluster, such as 10.0.0.1:6379.
ADDRESS = "RAY_ADDRESS"
# The extra ``cluster`` installs these packages.
PACKAGES = ("ray", "a2wsgi", "pyarrow", "obstore")

# A machine of the same network answers in milliseconds.
_SECONDS = 5.0

# Ray would send reports to its makers, and ask each user about it. A variable that the
# user has set counts.
_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray 2.60 warns of a change in a later version, which concerns GPUs alone.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def require_ray(what: str) -> None:
    """Refuse to go on if the extra ``cluster`` is missing.

    Args:
        what: the option or command that needs Ray, for the sentence.

    Raises:
        WrongInput: a package of the extra is missing.
    """
    if any(find_spec(name) is None for name in PACKAGES):
        raise WrongInput(
            f"{what} needs Ray: install the extra 'cluster' (pip install"
            " 'tfaas-onnx[cluster]')"
        )


@contextmanager
def connected(
    what: str,
    address: str = "",
    *,
    shows_logs: bool = False,
    cpus: int | None = None,
) -> Iterator[None]:
    """Connect this process to a cluster for the time of the block.

    Args:
        what: the option or command that needs Ray, for sentences.
        address: the cluster's ``host:port``; empty starts Ray on this machine alone,
            for the time of the block. A command reads ``$RAY_ADDRESS`` itself.
        shows_logs: also write what the processes of the cluster print, and what Ray
            says of those that are lost.
        cpus: the processors of this machine that Ray counts where it is started; None
            counts all.

    Raises:
        WrongInput: the extra ``cluster`` is missing, or the address is none.
        Failed: no cluster answers there, or it refuses this machine's token.
    """
    require_ray(what)
    if address:
        _check(address)
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    quiet = nullcontext() if shows_logs else quiet_driver()
    with quiet, _own_signals() as take_back:
        _connect(address, shows_logs, cpus)
        import ray

        try:
            take_back()
            yield
        finally:
            ray.shutdown()


def _connect(address: str, shows_logs: bool, cpus: int | None) -> None:
    import ray
    from ray.exceptions import RayError

    try:
        with warnings.catch_warnings():
            # Ray announces changes of later versions in this way.
            warnings.simplefilter("ignore", FutureWarning)
            ray.init(
                address=address or "local",
                num_cpus=None if address else cpus,
                logging_level=logging.ERROR,
                log_to_driver=shows_logs,
                # A process of Ray looks for trainings that have ended by this server,
                # and fills the log without it.
                include_dashboard=None if address else True,
            )
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as ex:
        place = f"no cluster of Ray can be reached at {address}" if address else ""
        raise Failed(
            f"{place or 'Ray cannot start on this machine'}: {_first_sentence(ex)}"
        ) from ex


@contextmanager
def _own_signals() -> Iterator[Callable[[], None]]:
    """Give a function that takes the signals back, which Ray's start takes away.

    Ray ends the process at SIGTERM, and prints the stack of its C++ code.
    """
    handlers = {
        number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def take_back() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    try:
        yield take_back
    finally:
        take_back()


def _check(address: str) -> None:
    """Ask whether anybody listens there: Ray itself would ask for ever."""
    if address == "auto":  # Ray finds the cluster of this machine
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > 65535:
        raise WrongInput(
            f"{address!r} is no address of a cluster: give the HOST:PORT that 'ray"
            " start --head' prints, such as 10.0.0.1:6379"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
    except OSError as ex:
        raise Failed(
            f"no cluster of Ray can be reached at {address}: {ex.strerror or ex}"
        ) from ex


def _first_sentence(ex: BaseException) -> str:
    """Return what Ray says first; its texts have many lines of advice."""
    lines = str(ex).strip().splitlines() or [type(ex).__name__]
    return lines[0].partition(". ")[0].strip().rstrip(".")[:300]
