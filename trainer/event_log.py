"""TensorBoard's event files, which TensorFlow itself can write.

TensorBoard shows them; it is a package of its own, and is not needed to write them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle.disk import refusal
from trainer.errors import DestinationError

if TYPE_CHECKING:
    import keras

# TensorBoard tells by this name that a number is to be drawn as a curve.
_PLUGIN = "scalars"
_VALIDATION = "val_"


def make_event_folder(folder: Path) -> None:
    """Make the folder.

    Raises:
        DestinationError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as ex:
        why = refusal(ex, "give another folder with --tensorboard")
        raise DestinationError(f"{folder} cannot be written: {why}") from ex


def event_log(folder: Path) -> keras.callbacks.Callback:
    """Make a callback that writes the figures of each epoch.

    It writes ``epoch_loss`` and the others into ``train/`` and ``validation/``, as
    Keras's own callback does, so that TensorBoard draws both in one plot.
    """
    import keras
    import tensorflow as tf
    from tensorflow.core.framework.summary_pb2 import DATA_CLASS_SCALAR, SummaryMetadata

    writers: dict[str, Any] = {}
    metadata = SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=_PLUGIN),
        data_class=DATA_CLASS_SCALAR,
    )

    def write(epoch: int, logs: dict[str, float]) -> None:
        try:
            for name, value in logs.items():
                part = "validation" if name.startswith(_VALIDATION) else "train"
                if part not in writers:
                    writers[part] = tf.summary.create_file_writer(str(folder / part))
                with writers[part].as_default():
                    tag = f"epoch_{name.removeprefix(_VALIDATION)}"
                    number = tf.constant(value, tf.float32)
                    tf.summary.write(tag, number, step=epoch, metadata=metadata)
            for writer in writers.values():
                writer.flush()
        # The training took much longer than the log, and must not be lost.
        except (tf.errors.OpError, OSError):
            click.echo(
                f"warning: {folder} lacks the figures of epoch {epoch + 1}", err=True
            )

    def close(logs: object) -> None:
        for writer in writers.values():
            writer.close()

    return keras.callbacks.LambdaCallback(on_epoch_end=write, on_train_end=close)
