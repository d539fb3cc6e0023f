"""The walls that this machine's kernel offers, and the words about them."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass

from runtime.config import Walls
from runtime.errors import WallsError
from runtime.walls import landlock, seccomp

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """The walls that this machine's kernel offers.

    Attributes:
        landlock: the number of Landlock's ABI; 0 if there is none.
        seccomp: whether system calls can be filtered.
    """

    landlock: int
    seccomp: bool

    @property
    def is_whole(self) -> bool:
        """Whether files and sockets are walled off, as ``require`` demands."""
        return bool(self.landlock) and self.seccomp

    @property
    def walls(self) -> tuple[str, ...]:
        """The names of the walls that stand."""
        names = [f"Landlock (ABI {self.landlock})"] * bool(self.landlock)
        return (*names, *["seccomp"] * self.seccomp, "limits")

    @property
    def missing(self) -> tuple[str, ...]:
        """The missing walls: a clause for each that tells what stays open."""
        clauses = []
        if not self.landlock:
            clauses.append(
                "this kernel has no Landlock (Linux has it since 5.13, where the boot"
                " parameter 'lsm' names it), so files are not walled off"
            )
        if not self.seccomp:
            clauses.append(
                "system calls cannot be filtered here (seccomp needs Linux on x86_64 or"
                " aarch64), so sockets and programs are not walled off"
            )
        return tuple(clauses)


@functools.cache
def standing() -> Standing:
    """Ask the kernel which walls it offers, and change nothing."""
    return Standing(landlock.abi(), seccomp.is_available())


def demand(policy: Walls) -> None:
    """Check that a stranger's model may be opened here.

    Raises:
        WallsError: the policy is ``require``, and files or sockets are not walled off.
    """
    if policy == "require" and not standing().is_whole:
        raise WallsError(
            "other people's models are not opened here, because 'walls' is 'require':"
            f" {'; '.join(standing().missing)}"
        )


def sentence(policy: Walls, user: str) -> str:
    """Return the line about walls that is shown at the start."""
    if policy == "off":
        return (
            "other people's models are opened without walls, because 'walls' is 'off'"
        )
    try:
        demand(policy)
    except WallsError as ex:
        return str(ex)
    behind = ", ".join(standing().walls)
    return f"other people's models are opened behind {behind}" + (
        f", as user {user}" if user else ""
    )


def warn(policy: Walls) -> None:
    """Log the walls that are missing, unless they were switched off."""
    if policy != "off":
        for clause in standing().missing:
            logger.warning("%s", clause)
