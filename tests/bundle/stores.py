"""Fill and change a store, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundle.errors import ModelNotFound
from bundle.store import ModelStore
from tests.bundle.killing import WAIT
from tests.bundle.making import write_bundle


def writer(name: str = "mnist", mark: str = "") -> Callable[[Path], None]:
    return lambda folder: write_bundle(folder, name, mark)


def tree(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def in_threads(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as ex:
            failures.append(ex)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    if failures:
        raise failures[0]


def install_many(store: ModelStore, count: int, started: Any) -> None:
    for n in range(count):
        store.install(writer(mark=f"mark{n}"))
        started.set()


def delete_many(store: ModelStore, stop: Any) -> None:
    while not stop.is_set():
        try:
            store.delete("mnist")
        except ModelNotFound:
            continue


def installed(store: ModelStore, count: int, name: str = "mnist") -> None:
    for _ in range(count):
        store.install(writer(name))


def trimming(store: ModelStore, keep: int) -> ModelStore:
    return ModelStore(store.root, keep)
