"""Functions that children run in tests: each ends in its own way."""

import os
import re
import signal
import tempfile
import threading
from pathlib import Path

import numpy as np

from exporter.errors import SourceError


def double(number, tell):
    tell("doubling")
    tell("done")
    return 2 * number


def refuse(what, tell):
    raise SourceError(f"{what} is no model")


def trip(what, tell):
    raise KeyError(what)


def fill_the_disk(number, tell):
    raise OSError(number, os.strerror(number), "/secret/place")


def die(number, tell):
    os.kill(os.getpid(), number)


def litter(_, tell):
    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    return name


class Call:
    """An object whose pickle is a call."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return os.mkdir, self.arguments


def tell_commands(_, tell):
    tell("\x1b[2Jdone")


def outlive_the_clock(_, tell):
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    threading.Event().wait()


def answer_at_length(size, tell):
    return bytes(size)


def answer_by_a_call(path, tell):
    return Call(path)


def write(path, tell):
    Path(path).write_text("x")


def read(path, tell):
    return Path(path).read_text()


def variables(_, tell):
    return dict(os.environ)


def leave(code, tell):
    os._exit(code)


def hang(_, tell):
    """Run forever and hold the interpreter's lock, so that no other thread runs."""
    tell(str(os.getpid()))
    re.match(r"(a+)+$", "a" * 64 + "b")


def wait(_, tell):
    tell(str(os.getpid()))
    threading.Event().wait()


def take(gibibytes, tell):
    """Use and hold this much memory."""
    kept = np.ones(int(gibibytes * (1 << 27)))
    wait(kept, tell)


def speak(text, tell):
    os.write(2, f"{text} on 2\n".encode())
    os.write(1, f"{text} on 1\n".encode())
    return Path.cwd()


def modules(_, tell):
    import sys

    return sorted(sys.modules)


def session(_, tell):
    return os.getsid(0)


def memory_of_a_conversion(size, tell):
    """Return the most bytes that the conversion of weights of this size takes."""
    import tensorflow as tf

    from exporter.onnx_model.convert import convert
    from runtime.backends.saved_model import Signature

    side = 1000
    numbers = np.random.default_rng(0)
    weights = [
        tf.Variable(numbers.standard_normal((side, side), np.float32) / side**0.5)
        for _ in range(size // (4 * side**2))
    ]

    def call(x):
        for weight in weights:
            x = tf.nn.relu(x @ weight)
        return {"y": x}

    x = tf.TensorSpec((None, side), tf.float32, name="x")
    function = tf.function(call).get_concrete_function(x=x)
    before = _most_resident()
    convert(Signature(function, {"x": x}, function.structured_outputs))
    return _most_resident() - before


def _most_resident():
    """Return this process's peak; getrusage's ru_maxrss begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
