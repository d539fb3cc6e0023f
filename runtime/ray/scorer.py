"""The work of one process of a cluster: it holds the model, and scores parts."""

from __future__ import annotations

import os
import pickle
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import DomainError
from bundle.objects.address import Place
from bundle.spec import ModelSpec
from runtime.admin.errors import AdminError, WorkFailed
from runtime.config import Config
from runtime.ray.output import Done, PartFolder
from runtime.scoring.chunks import Chunk, Kept
from runtime.scoring.facts import Facts, digest_of
from runtime.scoring.local import LocalModel, find_version
from runtime.scoring.parquet_form import ParquetForm
from runtime.scoring.work import Work, Written

# obstore reads credentials and places from variables with these beginnings.
_STORES = ("AWS_", "AZURE_", "GOOGLE_")


@dataclass(frozen=True)
class Order:
    """All that a process needs for its work.

    Attributes:
        config: the settings; the object store in it, if any, has the model.
        model: the model, in a folder that all nodes share if no object store has it.
        facts: the facts about it, as the command found it.
        kept: the columns that are kept.
        out: the folder of the output.
        ticket: the ticket of the command; see ``PartFolder.begin``.
        inputs: files and folders that must be there, because the pictures are in them.
        variables: the command's variables with credentials of object stores.
    """

    config: Config
    model: LocalModel
    facts: Facts
    kept: tuple[Kept, ...]
    out: Place
    ticket: str
    inputs: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """The reason why a part, or the input, ends the run.

    Attributes:
        sentence: the reason.
        is_wrong_input: whether the command cannot be done as it was typed.
    """

    sentence: str
    is_wrong_input: bool

    def error(self) -> DomainError:
        """Make the error that the command raises."""
        return (AdminError if self.is_wrong_input else WorkFailed)(self.sentence)


def failure_of(ex: DomainError) -> Failure:
    """Tell an error to the command, which runs in another process."""
    return Failure(str(ex), isinstance(ex, AdminError))


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that lead to object stores."""
    return {name: environ[name] for name in environ if name.startswith(_STORES)}


class PartScorer:
    """Scores parts, and writes each to its place.

    Args:
        order: its work. The model is opened for the first part, so that an error of the
            model is that part's failure.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._work: Work | None = None
        os.environ.update(order.variables)

    def score(self, number: int, content: Sequence[bytes]) -> Done | Failure:
        """Score a part, and write it.

        Args:
            number: its number.
            content: its chunks, each pickled.
        """
        try:
            self._work = self._work or self._opened()
            # The command of the same code has pickled them.
            chunks: list[Chunk] = [pickle.loads(chunk) for chunk in content]
            return self._written(number, list(map(self._work, chunks)))
        except DomainError as ex:
            return failure_of(ex)

    def _opened(self) -> Work:
        """Open the model, once this machine has all that the command told of."""
        order = self._order
        above = [str(order.out.parent)] if isinstance(order.out, Path) else []
        for path in (*order.inputs, *above):
            if not Path(path).exists():
                raise WorkFailed(
                    f"the machine {socket.gethostname()} has no {path}: all nodes must"
                    " share it, or it must be in an object store"
                )
        try:
            model = self._model()
            if digest_of(model.version) != order.facts.digest:
                raise WorkFailed("it is another one than the command found")
            engine = model.open()
        except DomainError as ex:
            raise WorkFailed(
                f"the machine {socket.gethostname()} cannot open the model"
                f" {order.facts.spec}: {ex}. All nodes must share its folder, or it"
                " must be in an object store (--models-dir URL)"
            ) from ex
        kept = tuple(column.name for column in order.kept)
        return Work(engine, order.facts, ParquetForm(order.kept), kept)

    def _model(self) -> LocalModel:
        """Find the model, and fetch it from an object store."""
        order = self._order
        if isinstance(order.config.model_dir, Path) or not order.facts.version:
            return order.model
        spec = ModelSpec(order.facts.name, order.facts.version)
        return LocalModel(find_version(order.config, spec), order.model.options)

    def _written(self, number: int, written: list[Written]) -> Done:
        order = self._order
        heads = {one.head for one in written if one.scored}
        if len(heads) > 1:
            raise unlike()
        head = heads.pop() if heads else b""
        done = Done(
            number,
            sum(one.scored for one in written),
            [item for one in written for item in one.rejected],
            head.hex(),
        )
        output = PartFolder(order.out)
        if not done.scored:
            output.add(order.ticket, done, None)
            return done
        with tempfile.TemporaryDirectory(prefix="tfaas-score-") as folder:
            spool = Path(folder) / "spool"
            with spool.open("wb") as stream:
                stream.write(head)
                stream.writelines(one.rows for one in written)
            form = ParquetForm(order.kept)
            output.add(order.ticket, done, form.finish(spool, Path(folder) / "made"))
        return done


def unlike() -> AdminError:
    """Make the error of a model whose answers do not fit into one table."""
    return AdminError(
        "the model gives items different numbers of scores, or scores of different"
        " types"
    )
