"""A module for tests of the fork server, which runs an order as Python."""

import os

PREPARED_IN: list[int] = []


def prepare() -> None:
    PREPARED_IN.append(os.getpid())


def main(order: str) -> None:
    exec(order)  # the orders come from tests
