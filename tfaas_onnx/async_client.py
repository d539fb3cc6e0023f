"""A client of the service for asyncio; its calls are those of ``Client``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx
from numpy.typing import ArrayLike, NDArray

from tfaas_onnx.address import address_of
from tfaas_onnx.archive import opened
from tfaas_onnx.client import DEFAULT_URL, UPLOAD_SECONDS
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


@dataclass(frozen=True)
class AsyncDownload:
    """A bundle that is being read; see ``Download``."""

    chunks: AsyncIterator[bytes]
    length: int | None


class AsyncClient:
    """A client of one server, for asyncio; see ``Client`` for all arguments.

    Bundles are read from the disk by threads, and pictures, which are small, without.
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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = address_of(url, token, token_header, cacert)
        self._core = Core(self._address.place, Patience(timeout, retries))
        self._max_reply_bytes = max_reply_bytes
        self._http = httpx.AsyncClient(
            base_url=self._address.url,
            headers=self._address.headers,
            verify=self._address.verify,
            transport=transport,
        )

    @property
    def place(self) -> str:
        """The server's URL without a password, for sentences."""
        return self._address.place

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def predict_image(
        self,
        picture: Picture,
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        top: int | None = None,
    ) -> ImagePrediction:
        """See ``Client.predict_image``."""
        found = await self.predict_images(
            [picture], model=model, version=version, label=label, top=top
        )
        return found[0]

    async def predict_images(
        self,
        pictures: Sequence[Picture],
        *,
        model: str | None = None,
        version: int | None = None,
        label: str | None = None,
        top: int | None = None,
    ) -> list[ImagePrediction]:
        """See ``Client.predict_images``."""
        return await self._run(
            self._core.predict_images(pictures, model, version, label, top)
        )

    @overload
    async def predict(
        self,
        inputs: Mapping[str, ArrayLike],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> Outputs: ...

    @overload
    async def predict(
        self,
        inputs: ArrayLike,
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> NDArray[Any]: ...

    async def predict(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> Outputs | NDArray[Any]:
        """See ``Client.predict``."""
        outputs = await self._run(self._core.predict(inputs, model, version, label))
        return outputs if isinstance(inputs, Mapping) else only_output(outputs)

    async def predict_rows(
        self,
        rows: Sequence[Row],
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
    ) -> NDArray[Any]:
        """See ``Client.predict_rows``."""
        return await self._run(self._core.predict_rows(rows, model, version, label))

    async def models(self) -> list[ModelSummary]:
        """See ``Client.models``."""
        return await self._run(self._core.models())

    async def model(self, name: str) -> Model:
        """See ``Client.model``."""
        return await self._run(self._core.model(name))

    async def version(self, name: str, number: int) -> ModelVersion:
        """See ``Client.version``."""
        return await self._run(self._core.version(name, number))

    async def upload(
        self,
        bundle: str | os.PathLike[str] | Body,
        *,
        timeout: float = UPLOAD_SECONDS,
    ) -> Published:
        """See ``Client.upload``."""
        with ExitStack() as stack:
            # A large folder takes a while to pack.
            body = await asyncio.to_thread(stack.enter_context, opened(bundle))
            return await self._run(self._core.upload(body, timeout))

    async def labels(self, name: str) -> dict[str, int]:
        """See ``Client.labels``."""
        return await self._run(self._core.labels(name))

    async def label(self, name: str, label: str, version: int) -> int:
        """See ``Client.label``."""
        return await self._run(self._core.label(name, label, version))

    async def delete_label(self, name: str, label: str) -> int:
        """See ``Client.delete_label``."""
        return await self._run(self._core.delete_label(name, label))

    async def delete(self, name: str, version: int | None = None) -> str | None:
        """See ``Client.delete``."""
        return await self._run(self._core.delete(name, version))

    async def status(self) -> dict[str, Any]:
        """See ``Client.status``."""
        return await self._run(self._core.status())

    async def metrics(self) -> str:
        """See ``Client.metrics``."""
        return await self._run(self._core.metrics())

    async def ready(self) -> bool:
        """See ``Client.ready``."""
        return await self._run(self._core.ready())

    @asynccontextmanager
    async def download(self, name: str, version: int) -> AsyncIterator[AsyncDownload]:
        """See ``Client.download``."""
        send = Send(self._core.bundle(name, version), self._core.patience.seconds)
        with translated(self._address, send.seconds):
            async with self._streamed(send) as answer:
                if not is_bundle(answer):
                    raise no_bundle(await self._read(answer, send))
                yield AsyncDownload(answer.aiter_bytes(), length_of(answer))

    async def _run(self, steps: Steps[T]) -> T:
        """Do the actions of some steps, and return their result."""
        try:
            action = next(steps)
            while True:
                try:
                    reply = await self._do(action)
                except ClientError as ex:
                    action = steps.throw(ex)
                else:
                    action = steps.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, action: Send | Wait) -> Reply | None:
        if isinstance(action, Wait):
            await asyncio.sleep(action.seconds)
            return None
        with translated(self._address, action.seconds):
            async with self._streamed(action) as answer:
                return await self._read(answer, action)

    @asynccontextmanager
    async def _streamed(self, send: Send) -> AsyncIterator[httpx.Response]:
        content = send.call.content
        body = _pieces(content.open()) if isinstance(content, Body) else content
        request = request_of(self._http, send, body)
        answer = await self._http.send(request, stream=True)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _read(self, answer: httpx.Response, send: Send) -> Reply:
        collector = Collector(self.place, send.call, self._max_reply_bytes)
        async for chunk in answer.aiter_bytes():
            collector.add(chunk)
        return collector.reply_of(answer)


async def _pieces(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Read the pieces of a body in a thread, because a disk may be slow."""
    iterator = iter(chunks)
    while (chunk := await asyncio.to_thread(next, iterator, None)) is not None:
        yield chunk
