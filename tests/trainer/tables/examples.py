"""Small tables for tests, and their files, by the writers of the formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = dict[str, NDArray[Any]]


def events(count: int = 40, seed: int = 0) -> Table:
    """Make events: two numbers, a text and a label that depends on them."""
    generator = np.random.default_rng(seed)
    pt = generator.exponential(30, count).astype(np.float32)
    eta = generator.normal(0, 1.5, count).astype(np.float32)
    channel = np.array(["e", "mu", "tau"], object)[generator.integers(0, 3, count)]
    signal = (pt + 20 * (channel == "mu") > 30).astype(np.int64)
    signal[:2] = 0, 1
    return {"pt": pt, "eta": eta, "channel": channel, "signal": signal}


def numbers(table: Table) -> Table:
    """Return the columns of numbers alone."""
    return {name: v for name, v in table.items() if v.dtype != object}


def write_csv(path: Path, table: Table, delimiter: str = ",") -> Path:
    """Write a CSV file; NaN and "" become empty cells."""

    def cell(value: Any) -> str:
        return "" if value != value else str(value)

    lines = [delimiter.join(table)]
    lines += [
        delimiter.join(map(cell, row)) for row in zip(*table.values(), strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, table: Table) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(table), path)
    return path


def write_hdf5(path: Path, table: Table) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in table.items():
            is_text = values.dtype == object
            dtype = h5py.string_dtype() if is_text else values.dtype
            file.create_dataset(name, data=values, dtype=dtype)
    return path


def write_npz(path: Path, table: Table) -> Path:
    plain = {n: v.astype(str) if v.dtype == object else v for n, v in table.items()}
    np.savez(path, **plain)
    return path


def write_root(path: Path, table: Table, kind: str = "ttree") -> Path:
    """Write the tree ``events`` as a TTree (numbers alone) or as an RNTuple."""
    import uproot

    with uproot.recreate(path) as file:
        if kind == "ttree":
            file.mktree("events", {n: v.dtype for n, v in table.items()})
            file["events"].extend(table)
        else:
            plain = {
                n: v.tolist() if v.dtype == object else v for n, v in table.items()
            }
            file["events"] = plain
    return path
