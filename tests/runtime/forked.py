"""A module for tests of the fork server: an order is Python, and is run."""

import os

PREPARED_IN: list[int] = []


def prepare() -> None:
    PREPARED_IN.append(os.getpid())


def main(order: str) -> None:
    exec(order)  # tests' own
