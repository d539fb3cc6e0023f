"""Make a table of events as of a search for a Higgs boson, and its yardstick.

``python -m tools.higgs events.root`` (or ``.csv``, ``.parquet``) writes events,
which numpy makes from a seed: a resonance of two jets at 125 GeV beside a lepton and a
neutrino, on a falling background. It prints the AUC that scikit-learn's boosted trees
reach, trained and tested on the rows that ``trainer run`` takes with the same seed.
docs/results.md has both figures.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.report.roc import roc
from trainer.tables.dataset import TableSet, load_table
from trainer.tables.wishes import Wishes

LABEL = "label"
WEIGHT = "weight"

_ROWS = 50_000
# The seed of ``trainer run``, which decides the rows to test on.
_SPLIT_SEED = 4
_MASS = 125.0
_JET_MASS = 5.0
# Generators of next-to-leading order give such a share of negative weights.
_NEGATIVE = 0.04

Table = dict[str, NDArray[Any]]


def events(count: int, seed: int) -> Table:
    """Make events, two of five of which are signal.

    Returns:
        Columns ``(count,)``: float32 numbers in GeV and radians, NaN where an event has
        no second jet; the text ``channel``; ``weight``; and the text ``label``.
    """
    generator = np.random.default_rng(seed)
    is_signal = generator.random(count) < 0.4
    kind = generator.choice(3, count, p=(0.4, 0.4, 0.2))
    mass = np.where(
        is_signal,
        generator.normal(_MASS, 2.0, count),
        30.0 + generator.exponential(75.0, count),
    )
    momentum = generator.gamma(2.0, np.where(is_signal, 45.0, 30.0), count)
    rapidity = generator.normal(0.0, np.where(is_signal, 0.9, 1.3), count)
    jets = _decay(generator, mass.clip(2.1 * _JET_MASS), momentum, rapidity)
    # Events with a tau are measured worse.
    resolution = np.where(kind == 2, 0.18, 0.10)
    jets = [jet * generator.normal(1.0, resolution, count).clip(0.3) for jet in jets]
    table: Table = {}
    second = jets[0][1] ** 2 + jets[0][2] ** 2 < jets[1][1] ** 2 + jets[1][2] ** 2
    leading = np.where(second, jets[1], jets[0])
    other = np.where(second, jets[0], jets[1])
    has_two = generator.random(count) < np.where(is_signal, 0.92, 0.80)
    for name, jet in (("jet1", leading), ("jet2", np.where(has_two, other, np.nan))):
        table |= _angles(name, jet)
    table["m_jj"] = np.where(has_two, _mass(leading + other), np.nan)
    lepton = 20.0 + generator.exponential(np.where(is_signal, 30.0, 24.0), count)
    phi = generator.uniform(-np.pi, np.pi, count)
    missing = generator.gamma(2.0, np.where(is_signal, 26.0, 20.0), count)
    apart = generator.normal(np.pi * np.where(is_signal, 0.75, 0.5), 0.9, count)
    missing_phi = np.angle(np.exp(1j * (phi + apart)))
    table["lepton_pt"] = lepton
    table["lepton_eta"] = generator.normal(0, 1.2, count)
    table["lepton_phi"] = phi
    table["met"] = missing
    table["met_phi"] = missing_phi
    table["m_t"] = np.sqrt(2 * lepton * missing * (1 - np.cos(phi - missing_phi)))
    table["n_jets"] = has_two + 1.0 + generator.poisson(np.where(is_signal, 0.3, 0.6))
    table = {name: values.astype(np.float32) for name, values in table.items()}
    table["channel"] = np.array(["e", "mu", "tau"], object)[kind]
    sign = np.where(generator.random(count) < _NEGATIVE, -1.0, 1.0)
    size = np.where(is_signal, 0.5, 1.0) * generator.gamma(8.0, 1 / 8, count)
    table[WEIGHT] = (sign * size).astype(np.float32)
    table[LABEL] = np.where(is_signal, "signal", "background").astype(object)
    return table


def _decay(
    generator: np.random.Generator,
    mass: NDArray[Any],
    momentum: NDArray[Any],
    rapidity: NDArray[Any],
) -> list[NDArray[Any]]:
    """Let particles decay into two jets, and return their ``(E, px, py, pz)``."""
    count = len(mass)
    cosine = generator.uniform(-1, 1, count)
    azimuth, phi = generator.uniform(-np.pi, np.pi, (2, count))
    size = np.sqrt((mass / 2) ** 2 - _JET_MASS**2)
    sine = np.sqrt(1 - cosine**2)
    rest = size * np.array([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
    transverse = np.sqrt(mass**2 + momentum**2)
    energy = transverse * np.cosh(rapidity)
    flight = np.array(
        [
            momentum * np.cos(phi),
            momentum * np.sin(phi),
            transverse * np.sinh(rapidity),
        ]
    )
    jets = []
    for direction in (1, -1):
        own = direction * rest
        along = (flight * own).sum(axis=0)
        # In its own system each jet has half of the energy.
        half = mass / 2
        boosted = (energy * half + along) / mass
        vector = own + flight * (along / (energy + mass) + half) / mass
        jets.append(np.array([boosted, *vector]))
    return jets


def _angles(name: str, jet: NDArray[Any]) -> Table:
    _, px, py, pz = jet
    pt = np.hypot(px, py)
    return {
        f"{name}_pt": pt,
        f"{name}_eta": np.arcsinh(pz / pt),
        f"{name}_phi": np.arctan2(py, px),
    }


def _mass(total: NDArray[Any]) -> NDArray[Any]:
    energy, *momentum = total
    return np.sqrt(np.maximum(energy**2 - sum(p**2 for p in momentum), 0))


def write(path: Path, table: Table) -> None:
    """Write a table as ``.csv``, ``.parquet`` or ``.root`` (an RNTuple ``events``)."""
    import pyarrow as pa

    if path.suffix == ".root":
        import uproot

        with uproot.recreate(path) as file:
            file["events"] = {
                name: values.tolist() if values.dtype == object else values
                for name, values in table.items()
            }
        return
    # from_pandas makes an empty cell of NaN.
    arrow = pa.table({n: pa.array(v, from_pandas=True) for n, v in table.items()})
    if path.suffix == ".parquet":
        from pyarrow import parquet

        parquet.write_table(arrow, path)
    elif path.suffix == ".csv":
        from pyarrow import csv

        csv.write_csv(arrow, path)
    else:
        raise SystemExit(f"{path} must end in .csv, .parquet or .root")


def yardstick(data: TableSet) -> float:
    """Train boosted trees on the training part, and return the AUC of the test part.

    The area counts the rows by their weights, of which some are negative.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    def matrix(inputs: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        columns = []
        for column in data.columns:
            values = inputs[column.input_name].ravel()
            if column.is_text:
                places = {word: n for n, word in enumerate(column.categories or ())}
                values = np.array([places.get(word, np.nan) for word in values])
            columns.append(values.astype(np.float64))
        return np.stack(columns, axis=1)

    texts = [n for n, column in enumerate(data.columns) if column.is_text]
    trees = HistGradientBoostingClassifier(
        max_iter=300,
        early_stopping=True,
        categorical_features=texts,
        random_state=_SPLIT_SEED,
    )
    trees.fit(matrix(data.x_train), data.y_train, sample_weight=data.w_train)
    scores = trees.predict_proba(matrix(data.x_test))[:, 1]
    # scikit-learn's own area refuses negative weights.
    found = roc(data.y_test == 1, scores, data.w_test)
    assert found is not None
    return found.auc


def main() -> None:
    """Write the table, and print what boosted trees reach on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(options.path, events(options.rows, options.seed))
    print(f"wrote {options.rows} events to {options.path}")
    wishes = Wishes(label=LABEL, weight=WEIGHT)
    data = load_table(options.path, wishes, _SPLIT_SEED)
    started = time.monotonic()
    area = yardstick(data)
    seconds = time.monotonic() - started
    print(f"HistGradientBoosting: AUC {area:.4f} in {seconds:.1f} s")


if __name__ == "__main__":
    main()
