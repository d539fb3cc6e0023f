"""The request for a prediction, in row form or in column form."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bundle.errors import ShapeError
from runtime.backends.tensors import check_inputs
from runtime.errors import InvalidInput
from runtime.lane import elsewhere
from runtime.models.model import Model
from runtime.wire.tfs import columns, faults
from runtime.wire.tfs.base64_object import files_of, is_base64
from runtime.wire.tfs.text import check_signature, read_object, shown


class PredictRequest(NamedTuple):
    """The request for a prediction.

    Attributes:
        content: the request's object.
    """

    content: dict[str, Any]

    @property
    def is_row(self) -> bool:
        """Whether it has a value for each item, and not for each input."""
        return "instances" in self.content

    def arrays_for(self, model: Model) -> dict[str, NDArray[Any]]:
        """Make the arrays of all inputs of a model.

        Returns:
            An array of each input's shape and dtype, by the input's name.

        Raises:
            InvalidInput, ShapeError: the request does not fit the model.
        """
        values = self._values()
        specs = model.backend.inputs
        made: Callable[..., dict[str, NDArray[Any]]]
        found: Callable[..., None]
        if self.is_row:
            made, found = columns.of_rows, faults.find_in_rows
        else:
            made, found = columns.of_columns, faults.find_in_columns
        try:
            arrays = made(values, specs)
        except (InvalidInput, ShapeError):
            # The search takes longer than all else of such a request.
            elsewhere(functools.partial(found, values, specs), model.name)
            raise
        check_inputs(specs, arrays)
        return arrays

    def files_for(self, model: Model) -> Sequence[bytes] | None:
        """Return encoded pictures, if the request has some and the model takes images.

        None means that ``arrays_for`` makes its inputs.

        Raises:
            InvalidInput: the request asks for a signature that the model has not, or a
                picture cannot be taken out of it.
        """
        check_signature(self.content.get("signature_name", ""), "predict")
        values = self._values()
        specs = model.backend.inputs
        if not specs:
            raise InvalidInput("Failed to get input map for signature: DEFAULT")
        if not model.img_channels or specs[0].dtype.kind == "O":
            return None
        name = specs[0].name
        if self.is_row:
            if columns.is_named(values[0]):
                if not _is_picture(values[0], name):
                    return None
                values = [
                    item[name] if _is_picture(item, name) else item for item in values
                ]
        elif _is_picture(values, name):
            values = values[name]
        pictures = values if isinstance(values, list) else [values]
        if not pictures or not is_base64(pictures[0]):
            return None
        return files_of(pictures)

    def _values(self) -> Any:
        """Return the values of the one form that the request has.

        Raises:
            InvalidInput: it has none of the two forms, or both, or no instance.
        """
        content = self.content
        if not self.is_row:
            if "inputs" not in content:
                raise InvalidInput("Missing 'inputs' or 'instances' key")
            return content["inputs"]
        values = content["instances"]
        if "inputs" in content:
            problem = (
                "Not formatted correctly expecting only one of 'inputs' or 'instances'"
                " keys to exist "
            )
        elif not isinstance(values, list):
            problem = "Excepting 'instances' to be an list/array"
        elif not values:
            problem = "No values in 'instances' array"
        else:
            return values
        raise InvalidInput(f"JSON Value: {shown(content)} {problem}")


def _is_picture(item: object, name: str) -> bool:
    """Tell whether an object holds bytes, or lists of them, under one name alone."""
    if not isinstance(item, dict) or item.keys() != {name}:
        return False
    value = item[name]
    return is_base64(value[0] if isinstance(value, list) and value else value)


def read_predict(body: bytes) -> PredictRequest:
    """Read a request; what depends on the model is checked when the model is known.

    Raises:
        InvalidInput: the body is no JSON object, or its signature's name is no text.
    """
    return PredictRequest(read_object(body))
