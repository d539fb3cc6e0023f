"""``make demo``: train, export, serve, upload and predict, with the commands of README.

Each command is shown before it runs. The files stay in demo/ of the working folder, the
served model in its models/; the server is stopped at the end, however that comes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEMO = Path("demo")
BIN = Path(sys.executable).parent


def main() -> None:
    """Go the whole way; the first command that fails ends it with its exit code."""
    # Ended in the middle, it still stops the server.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    step("Train one epoch on the 70,000 images of MNIST")
    run("trainer run --fout=demo/mnist --model=mnist --no-onnx")
    step("Convert to ONNX, and prove that it answers as TensorFlow does")
    run("exporter convert demo/mnist")
    step("Start the service on a free port, with the store models/")
    with serving() as url:
        step("Upload the bundle")
        run("tar cfz demo/mnist.tar.gz -C demo mnist")
        run(
            'curl -sS --fail-with-body -X POST -H "Content-Encoding: gzip"'
            ' -H "Content-Type: application/octet-stream"'
            f" --data-binary @demo/mnist.tar.gz {url}upload"
        )
        step("Predict a 1 and a 4")
        for digit, image_id in ((1, 3), (4, 2)):
            run(f"trainer image --fout demo/img{digit}.png --imgid {image_id}")
            answer = run(
                f"curl -sS --fail-with-body {url}predict/image"
                f" -F image=@demo/img{digit}.png -F model=mnist"
            )
            show_top_label(answer, digit)
    step("Done. What was made:")
    print(MADE)


MADE = """\
  demo/mnist/           the bundle: parity.json is the proof, report/ has the curves
  demo/mnist.tar.gz     as it was uploaded
  demo/img1.png, demo/img4.png
  models/mnist/         as it is served; `make serve` serves it in the foreground\
"""


def start(command: list[str | Path], **options: Any) -> subprocess.Popen[str]:
    """Start a process; an interrupt meanwhile counts once the process can be ended.

    An exception inside of Popen would leave it running, with nobody who knows of it.
    """
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        # A shell starts background jobs with SIGINT ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        process = subprocess.Popen(command, text=True, **options)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        process.terminate()
        signal.raise_signal(heard[0])
    return process


@contextmanager
def serving() -> Iterator[str]:
    """The service in a process of its own, for as long as the block lasts; its URL."""
    print("$ runtime serve --port 0", flush=True)
    with start(
        [BIN / "runtime", "serve", "--port", "0"], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                sys.exit(process.wait() or 1)
            print(line, end="", flush=True)
            yield next(word for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()


def run(command: str) -> str:
    """Run one command as a person would type it; what it wrote, if it is curl's."""
    print(f"$ {command}", flush=True)
    with start(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        # Only replies are read; a training's progress bar needs the terminal itself.
        stdout=subprocess.PIPE if command.startswith("curl") else None,
    ) as process:
        try:
            output, _ = process.communicate()
        finally:
            # Not killed, as subprocess.run would: a training tidies up behind itself.
            process.terminate()
    if output:
        print(output.rstrip(), flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    return output or ""


def show_top_label(answer: str, digit: int) -> None:
    """Name the best label of an answer; if it is another digit, that is a failure."""
    scores = json.loads(answer)
    labels = (DEMO / "mnist" / "labels.txt").read_text().split()
    best = max(range(len(scores)), key=scores.__getitem__)
    print(f"  -> {labels[best]}, with probability {scores[best]:.4f}", flush=True)
    if labels[best] != str(digit):
        sys.exit(f"demo: the image of a {digit} was taken for a {labels[best]}")


def step(title: str) -> None:
    """Begin a step."""
    print(f"\n== {title}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
