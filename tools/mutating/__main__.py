"""Put small faults into a room, one at a time, and see whether its tests find them.

``make mutate`` runs this. mutmut says what a fault is. Its own runner puts none into
constants and decorated functions, so this has a runner of its own.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.mutating import bench
from tools.mutating.mutants import Mutant, mutants_of

NAMED = bench.ROOT / "docs/mutants.md"


def named_in(text: str, room: str) -> str:
    """Find the section of one room in docs/mutants.md."""
    _, _, rest = text.partition(f"\n## {room}\n")
    return rest.partition("\n## ")[0]


def main(wanted: Sequence[str]) -> int:
    """Say of each room what share of its faults its tests found.

    Args:
        wanted: rooms; none is all of them.

    Returns:
        0 if docs/mutants.md names every fault that was not found.
    """
    if unknown := set(wanted) - set(bench.ROOMS):
        rooms = ", ".join(bench.ROOMS)
        sys.exit(f"no room {', '.join(sorted(unknown))}; rooms: {rooms}")
    sample = int(os.environ.get("SAMPLE") or 0)
    reasons = NAMED.read_text(encoding="utf-8")
    made, left, new = 0, 0, 0
    for room in wanted or bench.ROOMS:
        mutants = mutants_of((bench.ROOT / room).read_text(encoding="utf-8"))
        if sample and sample < len(mutants):
            mutants = random.Random(room).sample(mutants, sample)
        report = _Report(room, named_in(reasons, room))
        with tempfile.TemporaryDirectory(prefix="mutate-") as scratch:
            run = bench.Bench(room, mutants, report, Path(scratch))
            run.run()
        late = f", {run.late} of them by time" if run.late else ""
        print(f"{room}: {_share(len(mutants), report.survived)}{late}", flush=True)
        made += len(mutants)
        left += report.survived
        new += report.new
    print(
        f"in all: {_share(made, left)}; {new} survivors have no reason in {NAMED.name}"
    )
    return 1 if new else 0


class _Report:
    """Says each survivor, and counts them."""

    def __init__(self, room: str, named: str) -> None:
        self.survived = self.new = 0
        self._room = room
        self._named = named

    def __call__(self, mutant: Mutant) -> None:
        self.survived += 1
        is_named = mutant.name in self._named
        self.new += not is_named
        word = "named" if is_named else "NEW"
        print(f"{self._room}:{mutant.line} {word}: {mutant.name}", flush=True)


def _share(made: int, left: int) -> str:
    share = (made - left) / made if made else 1.0
    return f"{made - left} of {made} mutants killed, {share:.1%}"


if __name__ == "__main__":
    # The tests start threads of their own; those of a linear algebra library would be
    # there before the fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.chdir(bench.ROOT)
    # SIGTERM ends the process that runs the tests, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
