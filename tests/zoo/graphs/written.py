"""The graphs enter themselves here; a function of the graph's name writes each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from runtime.backends.frozen_graph import load_graph
from runtime.backends.saved_model import Signature, load_signature
from tests.zoo.specimen import Specimen

GRAPHS: list[Specimen] = []
# Such a function writes nodes of tf.compat.v1, from the placeholders to its answer.
Write = Callable[[Any], Any]


@contextmanager
def old_control_flow() -> Iterator[None]:
    """Write loops as circles in the graph, as TensorFlow 1 did."""
    tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        tf.compat.v1.enable_control_flow_v2()


def frozen(**ranges: tuple[float, float]) -> Callable[[Write], Write]:
    """Enter a function that writes a frozen graph, ``x`` to ``scores``.

    Args:
        ranges: the least and the greatest number of each input, by name.
    """

    def make(write: Write) -> Signature:
        graph = tf.Graph()
        with old_control_flow(), graph.as_default():
            tf.identity(write(tf.compat.v1), "scores")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "frozen.pb")
            path.write_bytes(graph.as_graph_def().SerializeToString())
            return load_graph(path, ["x"], ["scores"])

    return _enter(make, ranges)


def saved(**ranges: tuple[float, float]) -> Callable[[Write], Write]:
    """Enter a function that writes a SavedModel as TensorFlow 1 did.

    The function returns the inputs and the outputs, each by name.
    """

    def make(write: Write) -> Signature:
        graph = tf.Graph()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "saved")
            with (
                old_control_flow(),
                graph.as_default(),
                tf.compat.v1.Session() as session,
            ):
                inputs, outputs = write(tf.compat.v1)
                session.run(tf.compat.v1.global_variables_initializer())
                tables = tf.compat.v1.tables_initializer()
                session.run(tables)
                tf.compat.v1.saved_model.simple_save(
                    session, str(path), inputs, outputs, legacy_init_op=tables
                )
            return load_signature(path)

    return _enter(make, ranges)


def _enter(
    make: Callable[[Write], Signature], ranges: Mapping[str, tuple[float, float]]
) -> Callable[[Write], Write]:
    def enter(write: Write) -> Write:
        room = write.__module__.rpartition(".")[2]
        name = f"{room}.{write.__name__}"
        GRAPHS.append(Specimen(name, "graphs", lambda: make(write), ranges))
        return write

    return enter


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random weights ``shape``, float32, that keep the size of the values."""
    fan_in = int(np.prod(shape[:-1])) or 1
    drawn = np.random.default_rng((seed, *shape)).standard_normal(shape)
    return (drawn * np.sqrt(2.0 / fan_in)).astype(np.float32)
