"""The models of a server, over HTTP: the client, with the commands' own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tfaas_onnx
from runtime.admin import TOKEN_VARIABLE, TRIAL_SETTINGS, Description, Transfer
from runtime.admin.errors import AdminError, Refused, ServerFailed, Unreachable
from tfaas_onnx import Body, Client

# The longest silence between two bytes. A server answers an upload after it has loaded
# the model; TensorFlow takes minutes for a large one.
_SECONDS = 300.0

# The most bytes of a reply that is read whole; a params.json may have a megabyte.
_MAX_REPLY_BYTES = 1 << 26

# The client's arguments have these names in a command.
_FLAGS = {"url": "--server", "cacert": "--cacert"}


@contextmanager
def open_client(
    url: str,
    cacert: Path | None = None,
    token: str = "",
    token_header: str = "Authorization",
    seconds: float = _SECONDS,
    retries: int = 2,
) -> Iterator[Client]:
    """Give a client of the server at ``url`` during the block.

    Args:
        url: the server's URL as in a browser, with its ``base`` if it has one.
        cacert: PEM file with the authorities to trust, in place of the system's.
        token: the token that the service asks for; empty is none.
        token_header: the header that carries the token.
        seconds: the longest silence of the server.
        retries: the most repetitions of a call.

    Raises:
        AdminError: ``url``, ``cacert``, ``token`` or ``token_header`` cannot be used.
    """
    with (
        told(),
        Client(
            url,
            token=token,
            token_header=token_header,
            cacert=cacert,
            timeout=seconds,
            retries=retries,
            max_reply_bytes=_MAX_REPLY_BYTES,
        ) as client,
    ):
        yield client


@contextmanager
def connect(
    url: str,
    cacert: Path | None = None,
    token: str = "",
    token_header: str = "Authorization",
) -> Iterator[RemoteAdmin]:
    """Give the models of the server at ``url``; see ``open_client``."""
    with open_client(url, cacert, token, token_header) as client:
        yield RemoteAdmin(client)


class RemoteAdmin:
    """The models of the server that a client asks; see ``Admin``.

    Every method raises ``Refused``, ``ServerFailed`` or ``Unreachable``.

    Args:
        client: the client that asks the server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.place = client.place
        self.url = client.place
        self.settings = TRIAL_SETTINGS
        self.folder: Path | None = None

    def models(self) -> list[Description]:
        """See ``Admin``."""
        with told(self._client):
            return [dict(model.content) for model in self._client.models()]

    def model(self, name: str) -> Description:
        """See ``Admin``."""
        with told(self._client):
            return dict(self._client.model(name).content)

    def version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        with told(self._client):
            return dict(self._client.version(name, number).content)

    def publish(self, archive: Transfer) -> Description:
        """See ``Admin``."""
        body = Body(lambda: archive.chunks, archive.length, is_once=True)
        with told(self._client):
            return dict(self._client.upload(body).content)

    @contextmanager
    def bundle(self, name: str, number: int) -> Iterator[Transfer]:
        """See ``Admin``."""
        with told(self._client), self._client.download(name, number) as download:
            yield Transfer(download.chunks, download.length)

    def delete(self, name: str) -> Description:
        """See ``Admin``."""
        with told(self._client):
            self._client.delete(name)
        return {"deleted": name}

    def delete_version(self, name: str, number: int) -> Description:
        """See ``Admin``."""
        with told(self._client):
            left = self._client.delete(name, number)
        deleted = {"deleted": name, "version": number}
        return deleted if left is None else {**deleted, "left": left}

    def set_label(self, name: str, label: str, number: int) -> Description:
        """See ``Admin``."""
        with told(self._client):
            labelled = self._client.label(name, label, number)
        return {"name": name, "label": label, "version": labelled}

    def delete_label(self, name: str, label: str) -> Description:
        """See ``Admin``."""
        with told(self._client):
            number = self._client.delete_label(name, label)
        return {"name": name, "label": label, "version": number}


@contextmanager
def told(client: Client | None = None) -> Iterator[None]:
    """Turn the client's errors within the block into those of the commands.

    Args:
        client: the client that asks in the block; None if it asks nothing.

    Raises:
        AdminError, ServerFailed, Unreachable: the client's sentence, with what a
            command can do.
    """
    try:
        yield
    except tfaas_onnx.ClientError as ex:
        if client is not None and isinstance(ex, tfaas_onnx.NotFound):
            # A URL without the server's 'base' gets 404 on every route. Then the list
            # of models gets it too, and this raises the sentence about the 'base'.
            with told():
                client.models()
        raise _error_of(ex) from ex


def _error_of(ex: tfaas_onnx.ClientError) -> AdminError | ServerFailed | Unreachable:
    sentence = str(ex)
    match ex:
        case tfaas_onnx.WrongArgument():
            flag = _FLAGS.get(ex.argument)
            return AdminError(f"{flag} {ex.problem}" if flag else sentence)
        case tfaas_onnx.Unauthorized():
            return Refused(
                f"{sentence}; the command reads it from ${TOKEN_VARIABLE} or"
                " --token-file FILE"
            )
        case tfaas_onnx.Timeout(status=None):
            return Unreachable(
                f"{sentence}; it may still do the work: look with 'runtime models list'"
            )
        case tfaas_onnx.Unreachable():
            return Unreachable(sentence)
        case tfaas_onnx.ServerError() | tfaas_onnx.Timeout():
            return ServerFailed(sentence)
        case _:
            return Refused(sentence)
