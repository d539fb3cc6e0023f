"""A model of a server, by the client: binary tensors, and pictures as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tfaas_onnx
from bundle.spec import ModelSpec
from runtime.admin.errors import AdminError, ServerFailed
from runtime.admin.remote import open_client, told
from runtime.errors import InvalidInput
from runtime.scoring.facts import Facts, facts_from
from runtime.scoring.tray import Tray
from tfaas_onnx import Client
from tfaas_onnx.pictures import to_png

# A server that is started anew, or that is busy, is asked again for some minutes.
_SECONDS = 300.0
_RETRIES = 60
# At the begin, a person waits for the answer that the URL is wrong.
_FIRST_RETRIES = 2
# So many pictures go in one request: the service answers smaller ones sooner.
_PICTURES = 32


class RemoteEngine:
    """A version of a server's model; see ``runtime.scoring.scorer.Engine``.

    Several threads may use it at once.

    Args:
        client: the client that asks the server.
        facts: the version. It is named in each request, so that no other version
            answers the rest of the items if one is published meanwhile.
    """

    def __init__(self, client: Client, facts: Facts) -> None:
        self._client = client
        self._facts = facts

    def files(self, tray: Tray, places: Sequence[int], files: Sequence[bytes]) -> None:
        """See ``Engine``."""
        for first in range(0, len(files), _PICTURES):
            some = files[first : first + _PICTURES]
            tray.ask(places[first : first + _PICTURES], _Pictures(self, some))

    def pixels(
        self, tray: Tray, places: Sequence[int], images: Sequence[NDArray[np.uint8]]
    ) -> None:
        """See ``Engine``."""
        self.files(tray, places, [to_png(image) for image in images])

    def inputs(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """See ``Engine``."""
        try:
            outputs = self._client.predict(
                inputs, model=self._facts.name, version=self._facts.version
            )
        except (tfaas_onnx.InvalidInput, tfaas_onnx.WrongArgument) as ex:
            raise InvalidInput(str(ex)) from ex
        if self._facts.output not in outputs:
            raise ServerFailed(
                f"the server answered without the output {self._facts.output!r}"
            )
        return outputs[self._facts.output]


class _Pictures:
    """The question for some of these pictures.

    Args:
        engine: the engine that asks.
        files: the pictures, each as the bytes of its file.
    """

    def __init__(self, engine: RemoteEngine, files: Sequence[bytes]) -> None:
        self._engine = engine
        self._files = files

    def __call__(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Ask for the pictures of these numbers."""
        # numpy's own texts would lose zero bytes at the end of a file.
        elements = np.empty(len(numbers), object)
        elements[:] = [self._files[number] for number in numbers]
        (name,) = (spec.name for spec in self._engine._facts.inputs)
        return self._engine.inputs({name: elements})


@dataclass(frozen=True)
class ServicePlace:
    """A server, and the proof that a command may ask it.

    Attributes:
        url: its URL.
        cacert: PEM file with the authorities to trust; None for the system's.
        token: the token; empty is none.
        token_header: the header that carries it.
    """

    url: str
    cacert: Path | None
    token: str
    token_header: str

    @contextmanager
    def asked(self, *, patiently: bool) -> Iterator[Client]:
        """Give a client of the server during the block.

        Args:
            patiently: ask again for some minutes if the server is busy or gone.

        Raises:
            AdminError, ServerFailed, Unreachable: see ``runtime.admin.remote.told``.
        """
        place = (self.url, self.cacert, self.token, self.token_header, _SECONDS)
        retries = _RETRIES if patiently else _FIRST_RETRIES
        with open_client(*place, retries=retries) as client, told(client):
            yield client


def find_facts(client: Client, asked: ModelSpec) -> Facts:
    """Ask a server for the version that scores, and for the facts about it.

    Raises:
        AdminError: the server has no such version, or is no server of this project.
        ServerFailed: the version cannot be loaded.
        ClientError: the server refused the question, or did not answer.
    """
    name, number, label = asked
    if number is None:
        model = client.model(name)
        if label is not None and label not in model.labels:
            raise AdminError(f"model {name!r} has no label {label!r}")
        number = model.serves if label is None else model.labels[label]
    # A version is loaded by the first question, which needs no answer.
    with suppress(tfaas_onnx.InvalidInput):
        client.predict({}, model=name, version=number)
    version = client.version(name, number)
    if version.error:
        raise ServerFailed(f"model {name}:{number} cannot be served: {version.error}")
    try:
        return facts_from(version.content)
    except (KeyError, TypeError, AttributeError, IndexError) as ex:
        raise ServerFailed(
            f"{client.place} does not tell what {name}:{number} takes; it may be an"
            " older service"
        ) from ex
