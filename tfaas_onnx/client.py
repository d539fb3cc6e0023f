"""A client of the service that waits for each answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx
from numpy.typing import ArrayLike, NDArray

from tfaas_onnx.address import address_of
from tfaas_onnx.archive import opened
from tfaas_onnx.core import Core
from tfaas_onnx.errors import ClientError
from tfaas_onnx.exchange import Body, Patience, Send, Steps, Wait
from tfaas_onnx.failure import translated
from tfaas_onnx.models import Model, ModelSummary, ModelVersion, Published
from tfaas_onnx.pictures import Picture
from tfaas_onnx.predictions import ImagePrediction, Outputs, only_output
from tfaas_onnx.reply import Reply
from tfaas_onnx.rows import Row
from tfaas_onnx.traffic import (
    MAX_REPLY_BYTES,
    Collector,
    is_bundle,
    length_of,
    no_bundle,
    request_of,
)

T = TypeVar("T")

# A server answers an upload after it has loaded the model; TensorFlow takes minutes for
# a large one.
UPLOAD_SECONDS = 300.0
DEFAULT_URL = "http://localhost:8083"


@dataclass(frozen=True)
class Download:
    """A bundle that is being read.

    Attributes:
        chunks: the bytes of its tar.gz, which can be read once.
        length: the number of its bytes; None if the server does not know it.
    """

    chunks: Iterator[bytes]
    length: int | None


class Client:
    """A client of one server; several threads may share it.

    >>> from tfaas_onnx import Client
    >>> with Client(url) as asking:
    ...     asking.ready()
    True

    Every method raises a ``ClientError`` if it gets no answer; see
    ``tfaas_onnx.errors``. A call is repeated after 429 and 503 and after a connection
    that failed, as ``Retry-After`` says, else after a short time that doubles. A call
    that changes models is repeated only if the server surely did not act.

    Args:
        url: the server's URL as in a browser, with its ``base`` if it has one.
        token: the token that the service asks for; empty is none. No redirect is
            followed, so that no other server gets the token.
        token_header: the header that carries the token, the service's ``tokenHeader``.
        timeout: the longest silence of the server in seconds. No repetition begins
            after this time.
        retries: the most repetitions of a call.
        cacert: PEM file with the authorities to trust, in place of the system's.
        max_reply_bytes: the most bytes of a reply that is read whole.
        transport: another way to the server than a socket, for tests.

    Raises:
        WrongArgument: one of them cannot be used.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str = "",
        token_header: str = "Authorization",
        timeout: float = 30.0,
        retries: int = 2,
        cacert: str | Path | None = None,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._address = address_of(url, token, token_header, cacert)
        self._core = Core(self._address.place, Patience(timeout, retries))
        self._max_reply_bytes = max_reply_bytes
        self._http = httpx.Client(
            base_url=self._address.url,
            headers=self._address.headers,
            verify=self._address.verify,
            transport=transport,
        )

    @property
    def place(self) -> str:
        """The server's URL without a password, for sentences."""
        return self._address.place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def predict_image(
        self,
        picture: Picture,
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        top: int | None = None,
    ) -> ImagePrediction:
        """Predict the classes of one picture.

        >>> import numpy as np
        >>> pixels = np.array([[0, 200], [0, 0]], np.uint8)
        >>> answer = client.predict_image(pixels, model="linear")
        >>> answer.label, answer.probability, answer.version
        ('one', 200.0, 1)
        >>> client.predict_image(pixels, model="linear", top=2).by_label()
        {'one': 200.0, 'zero': 0.0}

        Args:
            picture: the path of a file, the bytes of one, an array ``(H, W)`` or
                ``(H, W, C)`` of uint8, or a PIL image.
            model: the model's name; None for the only model of the server.
            version: the version that must answer.
            label: the label whose version must answer.
            top: the number of classes; None for all of them.
        """
        return self.predict_images(
            [picture], model=model, version=version, label=label, top=top
        )[0]

    def predict_images(
        self,
        pictures: Sequence[Picture],
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        top: int | None = None,
    ) -> list[ImagePrediction]:
        """Predict the classes of any number of pictures, in their order.

        >>> import numpy as np
        >>> black = np.zeros((2, 2), np.uint8)
        >>> len(client.predict_images([black] * 3, model="linear"))
        3

        See ``predict_image`` for the arguments.
        """
        return self._run(
            self._core.predict_images(pictures, model, version, label, top)
        )

    @overload
    def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> Outputs: ...

    @overload
    def predict(
        self,
        inputs: ArrayLike,
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> NDArray[Any]: ...

    def predict(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> Outputs | NDArray[Any]:
        """Predict arrays, by the binary tensors of the Open Inference Protocol v2.

        >>> import numpy as np
        >>> pixels = np.arange(4).reshape(1, 2, 2, 1)
        >>> client.predict(pixels, model="linear")
        array([[0., 1., 5.]], dtype=float32)
        >>> answer = client.predict({"pixels": pixels}, model="linear")
        >>> answer["scores"].shape, answer.version
        ((1, 3), 1)

        The first call for a model asks for the names and types of its inputs, too.

        Args:
            inputs: an array for each input, by its name; or the array of the only
                input. Numbers are brought to the input's dtype if they fit into it.
            model: the model's name.
            version: the version that must answer.
            label: the label whose version must answer.

        Returns:
            All outputs by name; or the array of the only output, if ``inputs`` is one.

        Raises:
            WrongArgument: the arrays do not fit the model's inputs; or one array was
                given, and the model has several inputs or outputs.
        """
        outputs = self._run(self._core.predict(inputs, model, version, label))
        return outputs if isinstance(inputs, Mapping) else only_output(outputs)

    def predict_rows(
        self,
        rows: Sequence[Row],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> NDArray[Any]:
        """Predict rows of numbers and texts, in their order.

        >>> row = {"up": 1, "left": 2, "right": 3, "down": 4}
        >>> client.predict_rows([row, row], model="linear")
        array([[1., 2., 7.],
               [1., 2., 7.]])

        Args:
            rows: the values of each row by their names, which are the model's features;
                None and NaN stand for a value that is missing. ``to_dict("records")``
                of a pandas table gives such rows.
            model: the model's name.
            version: the version that must answer.
            label: the label whose version must answer.

        Returns:
            ``(N, …)``, the main output's row for each row.

        Raises:
            WrongArgument: rows have different names, or a value is neither a finite
                number nor a text.
        """
        return self._run(self._core.predict_rows(rows, model, version, label))

    def models(self) -> list[ModelSummary]:
        """List the models.

        >>> [(model.name, model.serves) for model in client.models()]
        [('linear', 1)]
        """
        return self._run(self._core.models())

    def model(self, name: str) -> Model:
        """Describe a model, and each of its versions.

        >>> client.model("linear").versions[0].classes
        ('zero', 'one', 'two')
        >>> client.model("nosuch")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        tfaas_onnx.errors.NotFound: there is no model 'nosuch'; ...
        """
        return self._run(self._core.model(name))

    def version(self, name: str, number: int) -> ModelVersion:
        """Describe one version of a model.

        >>> client.version("linear", 1).proved
        True
        """
        return self._run(self._core.version(name, number))

    def upload(
        self,
        bundle: str | os.PathLike[str] | Body,
        *,
        timeout: float = UPLOAD_SECONDS,
    ) -> Published:
        """Publish a bundle as the next version of the model that it names.

        >>> published = client.upload(folder)
        >>> published.name, published.version
        ('linear', 2)

        Args:
            bundle: a bundle's folder, a ``.tar``, ``.tar.gz`` or ``.zip`` of one, or a
                ``Body`` of such bytes.
            timeout: the longest silence, in seconds. The server loads the model before
                it answers.
        """
        with opened(bundle) as body:
            return self._run(self._core.upload(body, timeout))

    def labels(self, name: str) -> dict[str, int]:
        """Return the version that each label of a model points to.

        >>> client.label("linear", "canary", 2)
        2
        >>> client.labels("linear")
        {'canary': 2}
        """
        return self._run(self._core.labels(name))

    def label(self, name: str, label: str, version: int) -> int:
        """Point a label to a version that loads; return the version's number.

        The version with the label ``stable`` answers requests that name no version.
        """
        return self._run(self._core.label(name, label, version))

    def delete_label(self, name: str, label: str) -> int:
        """Delete a label; return the number of its version, which stays.

        >>> client.delete_label("linear", "canary")
        2
        """
        return self._run(self._core.delete_label(name, label))

    def delete(self, name: str, version: int | None = None) -> str | None:
        """Delete one version of a model; without ``version`` all of them.

        Returns:
            The name of another folder of the same number (``7`` and ``007``), which is
            the version now; None if there is none, as nearly always.

        >>> client.delete("linear", 2)
        """
        return self._run(self._core.delete(name, version))

    def status(self) -> dict[str, Any]:
        """Return what ``GET /status`` tells of the machine and the server's process.

        >>> client.status()["workers"]
        1
        """
        return self._run(self._core.status())

    def metrics(self) -> str:
        """Return the server's metrics, in Prometheus' text format.

        >>> "tfaas_requests_total" in client.metrics()
        True
        """
        return self._run(self._core.metrics())

    def ready(self) -> bool:
        """Tell whether the server takes requests; False if nothing answers there."""
        return self._run(self._core.ready())

    @contextmanager
    def download(self, name: str, version: int) -> Iterator[Download]:
        """Give the bundle of a version as a tar.gz that is open during the block.

        >>> with client.download("linear", 1) as bundle:
        ...     sum(map(len, bundle.chunks)) > 0
        True
        """
        send = Send(self._core.bundle(name, version), self._core.patience.seconds)
        with translated(self._address, send.seconds), self._streamed(send) as answer:
            if not is_bundle(answer):
                raise no_bundle(self._read(answer, send))
            yield Download(answer.iter_bytes(), length_of(answer))

    def _run(self, steps: Steps[T]) -> T:
        """Do the actions of some steps, and return their result."""
        try:
            action = next(steps)
            while True:
                try:
                    reply = self._do(action)
                except ClientError as ex:
                    action = steps.throw(ex)
                else:
                    action = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, action: Send | Wait) -> Reply | None:
        if isinstance(action, Wait):
            time.sleep(action.seconds)
            return None
        with (
            translated(self._address, action.seconds),
            self._streamed(action) as answer,
        ):
            return self._read(answer, action)

    @contextmanager
    def _streamed(self, send: Send) -> Iterator[httpx.Response]:
        content = send.call.content
        body = content.open() if isinstance(content, Body) else content
        answer = self._http.send(request_of(self._http, send, body), stream=True)
        try:
            yield answer
        finally:
            answer.close()

    def _read(self, answer: httpx.Response, send: Send) -> Reply:
        collector = Collector(self.place, send.call, self._max_reply_bytes)
        for chunk in answer.iter_bytes():
            collector.add(chunk)
        return collector.reply_of(answer)
