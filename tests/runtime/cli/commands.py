"""The commands ``runtime models``, typed in a test, and versions for them."""

import json

from click.testing import CliRunner

from runtime.cli import main
from tests.examples import write_bundle


def models(command, code=0):
    done = CliRunner().invoke(main, ["models", *command.split()])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    if code:
        assert done.stdout == ""
    return done


def answer(command):
    return json.loads(models(f"{command} --json").stdout)


def add_versions(store, count, broken=()):
    """Add versions of the model ``linear``; those in ``broken`` do not load."""
    for number in range(1, count + 1):
        onnx = b"nonsense" if number in broken else None
        store.install(lambda staged, onnx=onnx: write_bundle(staged, onnx_bytes=onnx))
