"""All that a client can ask, as steps without a socket; see ``exchange``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from numpy.typing import ArrayLike, NDArray

from tfaas_onnx import shapes
from tfaas_onnx.errors import (
    InvalidInput,
    NotFound,
    Timeout,
    Unavailable,
    Unreachable,
    WrongArgument,
)
from tfaas_onnx.exchange import Body, Call, Patience, Steps, steps_of
from tfaas_onnx.models import (
    Model,
    ModelSummary,
    ModelVersion,
    Published,
    model_from,
    published_from,
    summary_of,
    version_from,
)
from tfaas_onnx.names import checked_label, checked_model, checked_version
from tfaas_onnx.pictures import Picture, read_picture
from tfaas_onnx.predictions import (
    ImagePrediction,
    Outputs,
    backend_of,
    image_predictions_of,
    version_of,
)
from tfaas_onnx.reply import Reply, stranger
from tfaas_onnx.rows import Row, read_scores, rows_to_body
from tfaas_onnx.tensors import HEADER, Signature, read_outputs, signature_of, to_body

T = TypeVar("T")

# The service takes 64 parts in a form. Smaller forms are answered sooner.
_PICTURES = 32
# A model has fewer classes. The server's own default is the best five.
_ALL = 1_000_000
_LABELS = "application/vnd.tfaas.labels+json"
# With these a server is not ready; a wrong address is another matter.
_NOT_READY = (Unavailable, Unreachable, Timeout)


class Core:
    """The calls of one server.

    Args:
        place: the server's URL, for sentences.
        patience: the rule by which calls are repeated.
    """

    def __init__(self, place: str, patience: Patience) -> None:
        self.place = place
        self.patience = patience
        self._signatures: dict[tuple[str, int | None], Signature] = {}

    def predict_images(
        self,
        pictures: Sequence[Picture],
        model: str | None,
        version: int | None,
        label: str | None,
        top: int | None,
    ) -> Steps[list[ImagePrediction]]:
        """See ``Client.predict_images``."""
        params = _spec_of(model, version, label)
        if isinstance(pictures, (str, bytes)):  # they are sequences, too
            raise WrongArgument("pictures", "must be a list of pictures")
        if top is not None and top < 1:
            raise WrongArgument("top", f"is {top}; it must be 1 or more")
        params["top"] = str(top or _ALL)
        found: list[ImagePrediction] = []
        for first in range(0, len(pictures), _PICTURES):
            some = [read_picture(one) for one in pictures[first : first + _PICTURES]]
            found += yield from self._ask(
                Call(
                    "POST",
                    "/predict/image",
                    _reader_of(len(some)),
                    params=params,
                    headers={"Accept": _LABELS},
                    files=tuple(("image", name, content) for name, content in some),
                    is_prediction=True,
                )
            )
        return found

    def predict(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        model: str,
        version: int | None,
        label: str | None,
    ) -> Steps[Outputs]:
        """Ask for all outputs; see ``Client.predict``."""
        checked = _spec_of(model, version, label)
        if label is not None:
            labels = yield from self.labels(model)
            if label not in labels:
                raise NotFound(f"model {model!r} has no label {label!r}")
            version = labels[label]
        path = f"/v2/models/{checked['model']}"
        if version is not None:
            path += f"/versions/{version}"
        key = model, version
        is_known = key in self._signatures
        if not is_known:
            self._signatures[key] = yield from self._signature(path)
        try:
            return (yield from self._infer(path, self._signatures[key], inputs))
        except (InvalidInput, WrongArgument):
            # Another version may serve now, and take other inputs.
            self._signatures.pop(key, None)
            if not is_known:
                raise
        self._signatures[key] = yield from self._signature(path)
        return (yield from self._infer(path, self._signatures[key], inputs))

    def _signature(self, path: str) -> Steps[Signature]:
        return self._ask(
            Call(
                "GET",
                path,
                lambda reply: signature_of(reply, reply.json(shapes.METADATA)),
            )
        )

    def _infer(
        self,
        path: str,
        signature: Signature,
        inputs: ArrayLike | Mapping[str, ArrayLike],
    ) -> Steps[Outputs]:
        body, length = to_body(signature, signature.named(inputs))
        return self._ask(
            Call(
                "POST",
                f"{path}/infer",
                lambda reply: Outputs(
                    read_outputs(reply),
                    backend_of(reply),
                    version_of(reply),
                    reply.request_id,
                ),
                headers={
                    "Content-Type": "application/octet-stream",
                    HEADER: str(length),
                },
                content=body,
                is_prediction=True,
            )
        )

    def predict_rows(
        self,
        rows: Sequence[Row],
        model: str,
        version: int | None,
        label: str | None,
    ) -> Steps[NDArray[Any]]:
        """See ``Client.predict_rows``."""
        spec: dict[str, object] = {**_spec_of(model, version, label)}
        if version is not None:
            spec["version"] = version
        return self._ask(
            Call(
                "POST",
                "/predict/json",
                lambda reply: read_scores(reply, len(rows)),
                headers={"Content-Type": "application/json"},
                content=rows_to_body(rows, spec),
                is_prediction=True,
            )
        )

    def models(self) -> Steps[list[ModelSummary]]:
        """See ``Client.models``."""
        try:
            content: list[Any] = yield from self._get("/models", shapes.LISTED)
        except NotFound as ex:
            raise stranger(self.place, "it has no /models", ex.status) from ex
        return [summary_of(one) for one in content]

    def model(self, name: str) -> Steps[Model]:
        """See ``Client.model``."""
        content = yield from self._get(f"/models/{checked_model(name)}", shapes.MODEL)
        return model_from(name, content)

    def version(self, name: str, number: int) -> Steps[ModelVersion]:
        """See ``Client.version``."""
        path = f"/models/{checked_model(name)}/{checked_version(number)}"
        content = yield from self._get(path, shapes.VERSION)
        return version_from(content)

    def labels(self, name: str) -> Steps[dict[str, int]]:
        """See ``Client.labels``."""
        return self._get(f"/models/{checked_model(name)}/labels", shapes.LABELS)

    def upload(self, body: Body, seconds: float | None) -> Steps[Published]:
        """See ``Client.upload``."""
        headers = {"Content-Type": "application/octet-stream"}
        if body.length is not None:
            headers["Content-Length"] = str(body.length)
        return self._ask(
            Call(
                "POST",
                "/upload",
                lambda reply: published_from(reply.json(shapes.PUBLISHED)),
                changes=True,
                headers=headers,
                content=body,
                seconds=seconds,
            )
        )

    def label(self, name: str, label: str, version: int) -> Steps[int]:
        """See ``Client.label``."""
        return self._ask(
            Call(
                "PUT",
                _label_path(name, label),
                _read_label,
                # To set a label twice is the same as once, but somebody else may have
                # moved it meanwhile.
                changes=True,
                headers={"Content-Type": "application/json"},
                content=b'{"version": %d}' % checked_version(version),
            )
        )

    def delete_label(self, name: str, label: str) -> Steps[int]:
        """See ``Client.delete_label``."""
        path = _label_path(name, label)
        return self._ask(Call("DELETE", path, _read_label, changes=True))

    def bundle(self, name: str, version: int) -> Call[None]:
        """Return the call for a bundle, whose reply is read piece by piece."""
        path = f"/models/{checked_model(name)}/{checked_version(version)}/bundle"
        # A proxy that compresses it once more would hide its length.
        headers = {"Accept-Encoding": "identity"}
        return Call("GET", path, lambda reply: None, headers=headers)

    def delete(self, name: str, version: int | None) -> Steps[str | None]:
        """See ``Client.delete``."""
        name = checked_model(name)
        if version is None:
            path, shape = f"/delete/{name}", shapes.DELETED
        else:
            path = f"/models/{name}/{checked_version(version)}"
            shape = shapes.DELETED_VERSION

        def read(reply: Reply) -> str | None:
            left: str | None = reply.json(shape).get("left")
            return left

        return self._ask(Call("DELETE", path, read, changes=True))

    def status(self) -> Steps[dict[str, Any]]:
        """See ``Client.status``."""
        return self._get("/status", shapes.STATUS)

    def metrics(self) -> Steps[str]:
        """See ``Client.metrics``."""
        return self._ask(
            Call("GET", "/metrics", lambda reply: reply.body.decode(errors="replace"))
        )

    def ready(self) -> Steps[bool]:
        """See ``Client.ready``."""
        # A 503 is the answer here, and asking again would not change it.
        once = Patience(self.patience.seconds, 0, self.patience.clock)
        call = Call("GET", "/readyz", lambda reply: reply.json(shapes.READY))
        try:
            yield from steps_of(call, once)
        except _NOT_READY:
            return False
        return True

    def _get(self, path: str, shape: shapes.Shape) -> Steps[Any]:
        return self._ask(Call("GET", path, lambda reply: reply.json(shape)))

    def _ask(self, call: Call[T]) -> Steps[T]:
        return steps_of(call, self.patience)


def _spec_of(
    model: str | None, version: int | None, label: str | None
) -> dict[str, str]:
    """Return the query that names a model, and perhaps a version of it."""
    if version is not None and label is not None:
        raise WrongArgument("version", "and label are both given; give one of them")
    spec = {}
    if model is not None:
        spec["model"] = checked_model(model)
    if version is not None:
        spec["version"] = str(checked_version(version))
    if label is not None:
        spec["label"] = checked_label(label)
    return spec


def _reader_of(count: int) -> Any:
    """Return the function that reads the answer to so many pictures."""

    def read(reply: Reply) -> list[ImagePrediction]:
        one = shapes.IMAGE
        content = reply.json(one if count == 1 else shapes.Items(one))
        found = image_predictions_of(reply, [content] if count == 1 else content)
        if len(found) != count:
            raise reply.stranger(f"it answered {len(found)} of {count} pictures")
        return found

    return read


def _label_path(name: str, label: str) -> str:
    return f"/models/{checked_model(name)}/labels/{checked_label(label)}"


def _read_label(reply: Reply) -> int:
    number: int = reply.json(shapes.LABEL)["version"]
    return number
