"""Every way that work on the models of a server or a folder can fail.

* DomainError          bundle/errors.py
  x AdminError         what was typed cannot be done: exit code 2
    x Refused          the server refused it: 4xx, or it is none of this project
  x WorkFailed         exit code 1
    x ServerFailed     the server says that it failed: 5xx
    x Unreachable      it cannot be reached, or the connection broke
"""

from bundle.errors import DomainError


class AdminError(DomainError):
    """The command, as it was typed, cannot be done."""


class Refused(AdminError):
    """The server refused it, or is none of this project."""


class WorkFailed(DomainError):
    """The command is right, but the work failed."""


class ServerFailed(WorkFailed):
    """The server says that it failed."""


class Unreachable(WorkFailed):
    """The server cannot be reached, or the connection broke."""
