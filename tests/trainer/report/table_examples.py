"""Small tables, and trainings on them without TensorFlow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from trainer.samples import Task
from trainer.settings import Settings
from trainer.tables.column import Column
from trainer.tables.dataset import TableSet
from trainer.train import Training


def a_table(task: Task = "classes", *, text: bool = False) -> TableSet:
    """Return ten rows to train on, and thirty to test on; 'a' decides the class."""
    generator = np.random.default_rng(3)
    a = generator.permutation(np.linspace(-1, 1, 40)).astype(np.float32)
    b = generator.normal(size=40).astype(np.float32)
    words = np.where(b > 0, "x", "y").astype(object)
    inputs: dict[str, Any] = {"row": np.stack([a, b], axis=1)}
    if text:
        inputs = {"a": a[:, None], "b": words[:, None]}
    y = (a > 0).astype(np.int64) if task == "classes" else 10 * a + 5
    return TableSet(
        x_train={name: values[:10] for name, values in inputs.items()},
        y_train=y[:10],
        w_train=None,
        x_test={name: values[10:] for name, values in inputs.items()},
        y_test=y[10:],
        w_test=np.linspace(-0.2, 2.2, 30).astype(np.float32),
        task=task,
        labels=("<b>no</b>", "$yes$") if task == "classes" else (),
        columns=(
            Column("a", "a", is_text=False),
            Column("b", "b", is_text=text, categories=("x", "y") if text else None),
        ),
        label="$is$",
    )


def a_training(data: TableSet, **changes: Any) -> Training:
    """Return a training whose model looks at the first feature alone."""
    is_classes = data.task == "classes"

    def answer(inputs: Any) -> np.ndarray:
        row = inputs if isinstance(inputs, np.ndarray) else inputs["a"]
        first = row[:, :1].astype(np.float32)
        if not is_classes:
            return 9 * first + 5
        second = 1 / (1 + np.exp(-3 * first))
        return np.concatenate([1 - second, second], axis=1)

    measure = "accuracy" if is_classes else "mean_absolute_error"
    history = {n: [0.5, 0.25] for n in ("loss", "val_loss", measure, f"val_{measure}")}
    model = SimpleNamespace(count_params=lambda: 1234, predict_on_batch=answer)
    inputs = data.x_test.get("row", data.x_test)
    values: dict[str, Any] = {
        "model": cast(Any, model),
        "settings": Settings(epochs=2, batch_size=5, seed=3, network="mlp"),
        "history": history,
        "test_loss": 0.3,
        "test_accuracy": 0.8 if is_classes else None,
        "test_error": None if is_classes else 0.4,
        "scores": answer(inputs),
        "seconds": 12.34,
    }
    return Training(**{**values, **changes})
