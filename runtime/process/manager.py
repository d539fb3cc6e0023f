"""Messages to the program that started the service, such as systemd.

Such a manager names a socket in $NOTIFY_SOCKET, and takes datagrams of lines NAME=VALUE
there. The names are those of sd_notify(3).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

# A manager that does not read would let the service wait, and the message is lost then.
_SECONDS = 1.0


class Manager:
    """The program that started the service; without one, each message goes nowhere.

    Args:
        environment: the variables of this process. $NOTIFY_SOCKET is taken out of them,
            so that processes that are started later cannot speak for the service.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        # A name that begins with @ is in no file system.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watches = bool(environment.pop("WATCHDOG_USEC", ""))

    def serves(self, status: str) -> None:
        """Tell that the service answers requests.

        Args:
            status: a line for people.
        """
        self._send(f"READY=1\nSTATUS={status}")

    def lives(self) -> None:
        """Tell a manager that restarts silent services that this process runs."""
        if self._watches:
            self._send("WATCHDOG=1")

    def ends(self) -> None:
        """Tell that the service ends, and answers what it holds."""
        self._send("STOPPING=1\nSTATUS=ending")

    def _send(self, lines: str) -> None:
        if not self._address:
            return
        # The service serves on, even if nobody hears of it.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
        ):
            sender.settimeout(_SECONDS)
            sender.sendto(lines.encode(), self._address)
