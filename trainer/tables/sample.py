"""The ranges and the rows of a table with which a conversion is proved."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bundle.sample import ROWS
from trainer.tables.dataset import ROW, TableSet

# So many rows show a wrong conversion, and take little space beside the weights.
SAMPLE_SIZE = 64


def ranges_of(data: TableSet) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest training number of each input of numbers.

    The range of ``row`` is that of all columns together.
    """
    numbers = [column for column in data.columns if not column.is_text]
    if ROW in data.x_train:
        least = min(column.least for column in numbers)
        return {ROW: (least, max(column.greatest for column in numbers))}
    return {column.input_name: (column.least, column.greatest) for column in numbers}


def write_rows(folder: Path, data: TableSet) -> None:
    """Write some test rows, evenly chosen, as ``rows.npz`` into a bundle's folder.

    Raises:
        OSError: the disk refuses the file.
    """
    count = len(data.y_test)
    chosen = np.unique(np.linspace(0, count - 1, SAMPLE_SIZE).astype(int))
    taken = {name: values[chosen] for name, values in data.x_test.items()}
    np.savez_compressed(
        folder / ROWS,
        # Objects would be pickled.
        **{n: v.astype(str) if v.dtype == object else v for n, v in taken.items()},
    )
