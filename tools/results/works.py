"""The trainings of docs/results.md."""

from __future__ import annotations

import re
from pathlib import Path

from tools.results.work import Result, Work, metrics

_FASHION = "/usr/share/datasets/fashion-mnist"


def _images(folder: Path, printed: str) -> Result:
    found = metrics(folder, "bundle")
    details = f"{found['network']}, {_passes(found['epochs'])}"
    if found["augmentation"] != "none":
        details += f", augmentation {found['augmentation']}"
    if found["precision"] != "float32":
        details += f", {found['precision']}"
    return Result(f"accuracy {found['test_accuracy']:.4f}", details)


def _table(folder: Path, printed: str) -> Result:
    found = metrics(folder, "bundle")
    details = f"{found['network']}, {_passes(found['epochs'])}"
    return Result(f"AUC {found['auc']:.4f}", details)


def _yardstick(folder: Path, printed: str) -> Result:
    auc = re.search(r"AUC[^0-9]*([0-9.]+)", printed)
    assert auc is not None, printed
    return Result(f"AUC {auc[1]}", "scikit-learn's HistGradientBoostingClassifier")


def _passes(epochs: int) -> str:
    return f"{epochs} epoch{'s' if epochs > 1 else ''}"


WORKS = (
    Work("mnist-quick", "MNIST", "trainer run --fout bundle", _images),
    Work("mnist-best", "MNIST", "trainer run --fout bundle --recipe best", _images),
    Work(
        "fashion-quick",
        "Fashion-MNIST",
        f"trainer run --fin {_FASHION} --fout bundle --model fashion",
        _images,
    ),
    Work(
        "fashion-best",
        "Fashion-MNIST",
        f"trainer run --fin {_FASHION} --fout bundle --model fashion --recipe best",
        _images,
    ),
    Work(
        "higgs-best",
        "Higgs-like table",
        "trainer run --fin events.parquet --label label --weight weight"
        " --fout bundle --model higgs --recipe best",
        _table,
        before=("python -m tools.higgs events.parquet",),
    ),
    Work(
        "higgs-yardstick",
        "Higgs-like table",
        "python -m tools.higgs events.parquet",
        _yardstick,
    ),
)
