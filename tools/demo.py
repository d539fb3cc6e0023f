"""``make demo``: train, export, serve, upload and predict, with the commands of README.

Each command is shown before it runs. The files stay in demo/, and the served model in
models/ of the working folder. The server is always stopped at the end.
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
    """Run all steps; the first command that fails ends them with its exit code."""
    # sys.exit lets a demo that is ended in the middle stop the server.
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
    """Start a process; an interrupt takes effect when the process can be ended.

    An exception inside Popen would leave the process running, and nobody could end it.
    """
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        # A shell starts background jobs with SIGINT ignored, and it must stay so.
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
    """Run the service in a process of its own during the block; give its URL."""
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
    """Run one command as a person would type it; give the output if it is curl."""
    print(f"$ {command}", flush=True)
    with start(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        # Only curl's output is read, because a training's progress bar needs the
        # terminal itself.
        stdout=subprocess.PIPE if command.startswith("curl") else None,
    ) as process:
        try:
            output, _ = process.communicate()
        finally:
            # subprocess.run would kill it, but a training must be able to clean up.
            process.terminate()
    if output:
        print(output.rstrip(), flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    return output or ""


def show_top_label(answer: str, digit: int) -> None:
    """Show the best label of an answer; fail if it is another digit."""
    scores = json.loads(answer)
    labels = (DEMO / "mnist" / "labels.txt").read_text().split()
    best = max(range(len(scores)), key=scores.__getitem__)
    print(f"  -> {labels[best]}, with probability {scores[best]:.4f}", flush=True)
    if labels[best] != str(digit):
        sys.exit(f"demo: the image of a {digit} was taken for a {labels[best]}")


def step(title: str) -> None:
    """Print the title of a step."""
    print(f"\n== {title}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
