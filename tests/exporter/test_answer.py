"""Answers of child processes: what is data, and what is not."""

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError
from exporter.answer import read_answer
from exporter.child import Limits
from exporter.errors import ExportError


@pytest.mark.parametrize(
    "answer",
    [
        {"a": [1, 2.5, "x", None, True, b"y"]},
        Limits(60, 1 << 30),
        (BundleError, "a sentence"),
        Path("/somewhere"),
    ],
)
def test_data_comes_back_as_it_was(answer):
    assert read_answer(pickle.dumps(answer)) == answer


@pytest.mark.parametrize("protocol", range(4, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "U4", object])
def test_arrays_come_back_as_they_were(protocol, dtype):
    array = np.array([["1", "2"], ["3", "4"]]).astype(dtype)
    back = read_answer(pickle.dumps({"x": array}, protocol))["x"]
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    number = np.float32(1.5)
    assert read_answer(pickle.dumps(number, protocol)) == number


@pytest.mark.parametrize(
    "name",
    [
        "posix.system",
        "builtins.eval",
        "builtins.getattr",
        "subprocess.Popen",
        "exporter.child.run_in_child",
        "exporter.child.subprocess.Popen",
        "exporter.child.Path",
        "exporter.worker.main",
        "psutil.Process",
        "rich.style.Style",
        "numpy.load",
        "no_such_module.x",
    ],
)
def test_what_is_no_data_is_not_looked_up(name):
    module, _, attribute = name.rpartition(".")
    with pytest.raises(pickle.UnpicklingError, match="is no data"):
        read_answer(f"c{module}\n{attribute}\n.".encode())


def test_a_call_inside_of_data_is_not_made(tmp_path):
    class Call:
        def __reduce__(self):
            return subprocess.check_call, (["touch", str(tmp_path / "made")],)

    for answer in (Call(), [Call()], np.array([Call()], object)):
        with pytest.raises(pickle.UnpicklingError, match="is no data"):
            read_answer(pickle.dumps(answer))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("answer", [b"", b"junk", pickle.dumps(1)[:-1]])
def test_damaged_bytes_are_an_error_of_pickles(answer):
    with pytest.raises(pickle.UnpicklingError):
        read_answer(answer)


def test_an_error_of_ours_is_one():
    kind, _ = read_answer(pickle.dumps((ExportError, "x")))
    assert kind is ExportError
