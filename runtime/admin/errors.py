"""The errors of work on the models of a server or a folder.

* DomainError          bundle/errors.py
  x AdminError         the command cannot be done as it was typed: exit code 2
    x Refused          the server refused it (4xx), or is no server of this project
  x WorkFailed         the work failed: exit code 1
    x ServerFailed     the server says that it failed: 5xx
    x Unreachable      the server cannot be reached, or the connection broke
"""

from bundle.errors import DomainError


class AdminError(DomainError):
    """The command cannot be done as it was typed."""


class Refused(AdminError):
    """The server refused the command, or is no server of this project."""


class WorkFailed(DomainError):
    """The command is right, but the work failed."""


class ServerFailed(WorkFailed):
    """The server says that it failed."""


class Unreachable(WorkFailed):
    """The server cannot be reached, or the connection broke."""
