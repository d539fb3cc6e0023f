"""The methods of a service, as the door calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from runtime.access.gate import Access
from runtime.telemetry.journey import Journey


class Method(NamedTuple):
    """A method that takes one message and gives one, again and again in a stream.

    Messages are bytes here: grpcio would answer a message that it cannot read with
    INTERNAL, as if the server were at fault.

    Attributes:
        name: its name in the service.
        access: the proof that it wants from its client.
        answer: the function that answers a message.
        refuse: in a stream, the function that makes the message about a refused one, of
            the refused message and a sentence; None for a method without a stream.
        is_quiet: whether machines ask it all the time. Such calls are exempt from the
            rate, and are logged at DEBUG.
    """

    name: str
    access: Access
    answer: Callable[[bytes, Journey], bytes]
    refuse: Callable[[bytes, str], bytes] | None = None
    is_quiet: bool = False


class Watched(NamedTuple):
    """A method that takes one message, and gives one whenever something changes.

    Attributes:
        name: its name in the service.
        access: the proof that it wants from its client.
        follow: the function that yields the messages. It takes the first message, and a
            function that waits a moment and tells whether the client is still there.
        is_quiet: see ``Method``.
    """

    name: str
    access: Access
    follow: Callable[[bytes, Callable[[], bool]], Iterator[bytes]]
    is_quiet: bool = False


class Service(NamedTuple):
    """A service of the door.

    Attributes:
        name: its full name, such as ``inference.GRPCInferenceService``.
        methods: its methods.
    """

    name: str
    methods: tuple[Method | Watched, ...]
