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
        kind: the name of a server's protocol (``image``, ``batch``, ``tensor``,
            ``numbers``, ``binary`` or ``grpc``), or ``mixed``, which uses several
            protocols.
        images: the number of images in one request.
        limit: the key of the loop that does the same without a server; empty if none
            does.
    """

    key: str
    title: str
    model: str
    kind: str
    images: int
    limit: str


WORKS = (
    Work("a", "one MNIST image as a PNG", "mnist", "image", 1, "a"),
    Work("b", "one MNIST image as numbers", "mnist", "tensor", 1, "b"),
    Work("c", "32 MNIST images in one request", "mnist", "batch", 32, "c"),
    Work("d", "MobileNetV2, one JPEG of 100 kB", "mobilenet", "image", 1, "d"),
    Work("e", "90 % images, 9 % numbers, 1 % uploads", "mnist", "mixed", 1, ""),
    Work("f", "one MNIST tensor, v2 binary", "mnist", "binary", 1, "b"),
    Work("g", "32 MNIST tensors, v2 binary", "mnist", "binary", 32, "b32"),
    Work("h", "one MNIST image as numbers, v2 JSON", "mnist", "numbers", 1, "b"),
    Work("i", "one MNIST tensor, v2 gRPC", "mnist", "grpc", 1, "b"),
    Work("j", "32 MNIST tensors, v2 gRPC", "mnist", "grpc", 32, "b32"),
)
BY_KEY = {work.key: work for work in WORKS}
CONNECTIONS = (1, 8, 64)
