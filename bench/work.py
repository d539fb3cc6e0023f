"""The works, which are the kinds of requests that the servers get."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One kind of request.

    Attributes:
        key: its letter on the command line and in results.json.
        title: its name in the tables.
        model: the name of the model that is asked.
        kind: the name of a server's protocol (``image``, ``tensor`` or ``batch``), or
            ``mixed``, which uses several protocols.
        images: the number of images in one request.
    """

    key: str
    title: str
    model: str
    kind: str
    images: int


WORKS = (
    Work("a", "one MNIST image as a PNG", "mnist", "image", 1),
    Work("b", "one MNIST image as numbers", "mnist", "tensor", 1),
    Work("c", "32 MNIST images in one request", "mnist", "batch", 32),
    Work("d", "MobileNetV2, one JPEG of 100 kB", "mobilenet", "image", 1),
    Work("e", "90 % images, 9 % numbers, 1 % uploads", "mnist", "mixed", 1),
)
BY_KEY = {work.key: work for work in WORKS}
CONNECTIONS = (1, 8, 64)
