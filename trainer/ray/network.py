"""The network on its way to the workers: its layers as Keras writes them down.

So the workers need no file of the driver's machine: neither the bundle of ``--from``
nor the user's own program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trainer.errors import ArchitectureError

if TYPE_CHECKING:
    import keras

# The names of Python's own functions and of Keras's objects begin so.
_KNOWN = ("keras", "builtins")


def write_network(model: keras.Model) -> dict[str, Any]:
    """Write the layers of a model down, without its weights.

    Raises:
        ArchitectureError: a layer is of a class of the user's own, whose code the
            workers lack.
    """
    import keras

    written: dict[str, Any] = keras.saving.serialize_keras_object(model)
    for name in _foreign(written):
        raise ArchitectureError(
            f"the network has a {name}, whose code the workers of Ray lack; take layers"
            " of Keras itself, or leave --ray-workers out"
        )
    return written


def read_network(written: Mapping[str, Any]) -> keras.Model:
    """Build the model anew, with weights by chance."""
    import keras

    # The driver has built the same model from the same code.
    return keras.saving.deserialize_keras_object(dict(written), safe_mode=False)


def _foreign(written: Any) -> Iterator[str]:
    """Give the names of classes that are not Keras's own."""
    if isinstance(written, list | tuple):
        for part in written:
            yield from _foreign(part)
    elif isinstance(written, Mapping):
        module, name = written.get("module"), written.get("class_name")
        if module and name and str(module).partition(".")[0] not in _KNOWN:
            yield str(name)
        for part in written.values():
            yield from _foreign(part)
