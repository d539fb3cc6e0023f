"""``python -m bench.scoring``: ``runtime score`` beside a loop that does nothing else.

The loop decodes, preprocesses and runs the model on the same items, on as many cores,
and reads and writes nothing. Both are measured in items a second and in processor time,
one after the other, several times. Nothing is written into docs/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click
import numpy as np
from PIL import Image

from bench.models import own_environment
from bench.places import ROOT
from bench.processor import of_ended_children
from bundle.decode import decode_image
from bundle.folder import open_bundle
from bundle.preprocess import Preprocessing
from runtime.backends.onnx import CPU, OnnxBackend

_BATCH = 256
_SCORE = "from runtime.cli import main; main()"
# The digits of a bundle's sample are repeated until there are so many items.
_ITEMS = {"rows": 300_000, "pictures": 100_000}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--items", type=click.IntRange(1), help="Score so many.  [default: enough]"
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=len(os.sched_getaffinity(0)),
    show_default=True,
)
def main(bundle: Path, rounds: int, items: int | None, workers: int) -> None:
    """Measure the scoring of BUNDLE, an MNIST bundle with sample.npz and model.onnx."""
    bundle = bundle.resolve()  # the processes start in the project's folder
    with tempfile.TemporaryDirectory() as place:
        for kind, usual in _ITEMS.items():
            count = items or usual
            folder = Path(place, kind)
            folder.mkdir()
            given = _make(bundle, kind, count, folder)
            found = [
                _round(bundle, given, count, workers, folder) for _ in range(rounds)
            ]
            for what, number in (("items/s", 0), ("us of processor an item", 1)):
                loop, score = (
                    median(of[side][number] for of in found) for side in (0, 1)
                )
                ratio = score / loop if number == 0 else loop / score
                print(
                    f"{kind}, {what}: loop {loop:,.1f}, runtime score {score:,.1f},"
                    f" ratio {ratio:.2f}",
                    flush=True,
                )


def _make(bundle: Path, kind: str, count: int, folder: Path) -> Path:
    with np.load(bundle / "sample.npz") as sample:
        digits = sample["images"]
    if kind == "rows":
        rows = np.resize(digits.reshape(len(digits), -1), (count, digits[0].size))
        np.savez(folder / "rows.npz", x=rows)
        return folder / "rows.npz"
    pictures = folder / "pictures"
    pictures.mkdir()
    for number, digit in enumerate(digits[:count]):
        Image.fromarray(digit[:, :, 0]).save(pictures / _png(number), optimize=True)
    for number in range(len(digits), count):
        (pictures / _png(number)).hardlink_to(pictures / _png(number % len(digits)))
    return pictures


def _png(number: int) -> str:
    return f"{number:06}.png"


def _round(
    bundle: Path, given: Path, count: int, workers: int, folder: Path
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Measure the loop and the command once: items a second, and us of processor."""
    job = json.dumps([str(bundle), str(given), count // workers])
    loop = [sys.executable, "-m", "bench.scoring", "--loop", job]
    out = folder / "scores.csv"
    score = [sys.executable, "-c", _SCORE, "score", str(given), "--force"]
    score += ["--model", str(bundle), "--out", str(out)]
    score += ["--batch", str(_BATCH), "--workers", str(workers)]
    return _timed([loop] * workers, count), _timed([score], count)


def _timed(commands: Sequence[Sequence[str]], count: int) -> tuple[float, float]:
    before, begun = of_ended_children(), time.perf_counter()
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=own_environment(), stderr=subprocess.DEVNULL
        )
        for command in commands
    ]
    if any([process.wait() for process in running]):
        raise click.ClickException("a process failed")
    seconds = time.perf_counter() - begun
    return count / seconds, (of_ended_children() - before) / count * 1e6


def _loop(bundle: str, given: str, count: int) -> None:
    """Decode and run so many items, those of the first batch again and again."""
    opened = open_bundle(Path(bundle))
    backend = OnnxBackend(Path(bundle, "model.onnx"), CPU)
    (spec,) = backend.inputs
    done = 0
    if Path(given).is_dir():
        height, width, channels = (n or 0 for n in spec.shape[1:])
        preprocess = Preprocessing(
            opened.params.preprocess, (height, width, channels), spec.dtype
        )
        paths = sorted(Path(given).iterdir())[:_BATCH]
        files = [path.read_bytes() for path in paths]
        while done < count:
            images = [preprocess(decode_image(file, channels)) for file in files]
            backend.run({spec.name: np.stack(images)})
            done += _BATCH
        return
    with np.load(given) as arrays:
        batch = arrays["x"][:_BATCH]
    shape = (-1, *(n or 0 for n in spec.shape[1:]))
    while done < count:
        backend.run({spec.name: batch.astype(spec.dtype).reshape(shape)})
        done += _BATCH


if __name__ == "__main__":
    if sys.argv[1:2] == ["--loop"]:
        _loop(*json.loads(sys.argv[2]))
    else:
        main()
