"""The work of a child process: it tries a family's specimens, one after the other.

TensorFlow is imported inside the functions, because the parent imports this module and
needs no TensorFlow.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bundle.errors import DomainError
from exporter.errors import first_line
from tools.zoo.row import CRASHED, Attempt

if TYPE_CHECKING:
    from tests.zoo.specimen import Specimen

# A task is a specimen's name, and the converter: ``ours`` or ``alone``.
Task = tuple[str, str]
Tell = Callable[[str], None]


def listing(families: Sequence[str], tell: Tell) -> dict[str, list[tuple[str, str]]]:
    """List the names of each family's specimens, each with its ``refused``.

    Raises:
        DomainError: there is no such module in tests/zoo.
    """
    return {
        family: [(specimen.name, specimen.refused) for specimen in _specimens(family)]
        for family in families
    }


def try_all(job: tuple[str, Sequence[Task], int], tell: Tell) -> None:
    """Make attempts, and tell each result as an ``Attempt`` in JSON.

    Args:
        job: the family, the tasks, and the longest time of an attempt in seconds.
        tell: see ``exporter.child.run.run_in_child``.
    """
    import keras

    from tools.zoo import alone, ours

    makers = {"ours": ours.attempt, "alone": alone.attempt}
    family, tasks, seconds = job
    specimens = {specimen.name: specimen for specimen in _specimens(family)}
    for name, whose in tasks:
        # This replaces the worker's alarm, which is for the child's whole work.
        signal.alarm(seconds)
        tell(json.dumps(asdict(_try(specimens[name], makers[whose]))))
        keras.backend.clear_session()


def _specimens(family: str) -> list[Specimen]:
    module = f"tests.zoo.{family}"
    if importlib.util.find_spec(module) is None:
        raise DomainError(
            f"there is no {module}: each family of the zoo is a module there, with a"
            " function specimens()"
        )
    made: list[Specimen] = importlib.import_module(module).specimens()
    return made


def _try(specimen: Specimen, attempt: Callable[[Specimen], Attempt]) -> Attempt:
    try:
        return attempt(specimen)
    # A specimen that cannot be built gets a row, and the others go on.
    except Exception as ex:
        return Attempt(CRASHED, f"{type(ex).__name__}: {first_line(ex)}")
