"""``runtime doctor``: a page about this machine, its settings and its faults."""

from __future__ import annotations

import functools
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from bundle.terminal import Failed
from runtime.cli.healthcheck import ask, target_of
from runtime.cli.output import print_json
from runtime.cli.serve import config_option, given, with_flags
from runtime.config import Config, load_settings

if TYPE_CHECKING:
    from runtime.doctor import Checkup

_SECONDS = 2.0


@click.command()
@with_flags(hidden=True)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def doctor(file: str | None, as_json: bool, **flags: Any) -> None:
    """Show what this machine has, what the settings make of it, and what would fail.

    It starts nothing, loads no model and shows no token. It takes the flags of
    `runtime serve`, too. It exits with 1 if something would stop the service's start,
    and else with 0, also if something is doubtful.
    """
    # The imports stand here, so that --help does not wait for ONNX Runtime.
    from runtime.doctor import check_up

    read = functools.partial(load_settings, os.environ, given(flags), file)
    checkup = check_up(read, _is_served)
    if as_json:
        print_json({**asdict(checkup), "fine": checkup.is_fine})
    else:
        _print(checkup)
    if not checkup.is_fine:
        raise Exit(1)


def _is_served(config: Config) -> bool:
    try:
        target = target_of(config)
        return ask(target, f"{target.base}/livez", None, _SECONDS)[0] == 200
    except (Failed, OSError, ValueError):
        return False


def _print(checkup: Checkup) -> None:
    from runtime.cli.doctor_page import print_checkup

    print_checkup(checkup)
