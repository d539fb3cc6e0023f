"""The options of ``runtime serve --ray``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

from bundle.terminal import WrongInput
from runtime.ray.scale import Scale

_ADDRESS = "address"
_STOP = "stop"


@dataclass(frozen=True)
class OnRay:
    """The wish for Ray.

    Attributes:
        scale: the number and the size of the replicas.
        address: the cluster's ``host:port``; empty is Ray on this machine alone.
        is_end: the service on the cluster shall end.
    """

    scale: Scale
    address: str = ""
    is_end: bool = False


def with_ray_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_ray_options(given: dict[str, Any], *, is_asked: bool) -> OnRay | None:
    """Take the options out of what is given; return None without ``--ray``.

    Raises:
        WrongInput: an option needs ``--ray``.
        ConfigError: a number cannot work.
    """
    context = click.get_current_context()
    names = [_ADDRESS, _STOP, *(field.name for field in fields(Scale))]
    taken = {name: given.pop(name) for name in names}
    if not is_asked:
        for name in names:
            source = context.get_parameter_source(name)
            if source is click.core.ParameterSource.COMMANDLINE:
                raise WrongInput(f"--{name.replace('_', '-')} needs --ray")
        return None
    address, is_end = taken.pop(_ADDRESS) or "", taken.pop(_STOP)
    if is_end and not address:
        raise WrongInput("--stop needs --address: without it, Ctrl-C ends the service")
    return OnRay(Scale(**taken), address, is_end)


_OPTIONS = (
    click.option(
        "--ray", is_flag=True, help="Serve with Ray, which needs the extra 'cluster'."
    ),
    click.option(
        "--address",
        envvar="RAY_ADDRESS",
        metavar="HOST:PORT",
        help="Serve on this cluster of Ray, or on the one that $RAY_ADDRESS names;"
        " without both, on this machine alone.",
    ),
    click.option(
        "--stop", is_flag=True, help="End what --ray serves on the cluster --address."
    ),
    click.option(
        "--min-replicas",
        type=click.IntRange(1),
        default=Scale.min_replicas,
        show_default=True,
        help="Have at least so many replicas on Ray; each is one process.",
    ),
    click.option(
        "--max-replicas",
        type=click.IntRange(1),
        help="Let Ray add replicas under load, up to so many.  [default: as many as"
        " --min-replicas]",
    ),
    click.option(
        "--target-ongoing-requests",
        type=float,
        default=Scale.target_ongoing_requests,
        show_default=True,
        help="Let Ray add replicas while each answers more requests at once than this.",
    ),
    click.option(
        "--cpus-per-replica",
        type=float,
        default=Scale.cpus_per_replica,
        show_default=True,
        help="Let Ray reserve so many processors for each replica.",
    ),
    click.option(
        "--gpus-per-replica",
        type=float,
        default=Scale.gpus_per_replica,
        show_default=True,
        help="Let Ray reserve so many GPUs for each replica; 0.5 lets two share one.",
    ),
)
