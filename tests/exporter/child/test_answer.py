"""An answer of a child process may hold data, and nothing else."""

import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bundle.errors import BundleError
from exporter.child.answer import read_answer
from exporter.child.run import Limits
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


class Made:
    """An object whose pickle names any call, its arguments and a state."""

    def __init__(self, *told):
        self._told = told

    def __reduce__(self):
        return self._told


# If numpy took these bytes for an object's address, it would read there.
ADDRESS = (0x4141414141414141).to_bytes(8, "little")
EMPTY = (np.ndarray, (0,), b"b")
reconstruct = np.empty(0).__reduce__()[0]
scalar = np.float32(0).__reduce__()[0]
OBJECT = np.dtype(object)
FIELDS = (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0)


@pytest.mark.parametrize(
    "told",
    [
        (np.ndarray, ((1,), OBJECT, ADDRESS)),
        (reconstruct, EMPTY, (1, (1,), OBJECT, False, ADDRESS)),
        (reconstruct, EMPTY, (1, (-1,), np.dtype("f8"), False, ADDRESS)),
        (
            *(reconstruct, EMPTY),
            (1, (1,), Made(np.dtype, ("V8", False, True), FIELDS), False, ADDRESS),
        ),
        (scalar, (OBJECT, ADDRESS)),
        (np.dtype, ([("a", "O")],)),
    ],
)
def test_bytes_are_no_addresses(told):
    with pytest.raises(pickle.UnpicklingError):
        read_answer(pickle.dumps(Made(*told)))


def test_a_dtype_is_what_it_was_made_as():
    dtype = Made(np.dtype, ("f8", False, True), FIELDS)
    state = (1, (1,), dtype, False, ADDRESS)
    (number,) = read_answer(pickle.dumps(Made(reconstruct, EMPTY, state)))
    assert number == np.frombuffer(ADDRESS)[0]


@pytest.mark.parametrize(
    "name",
    [
        "posix.system",
        "builtins.eval",
        "builtins.getattr",
        "subprocess.Popen",
        "exporter.child.run.run_in_child",
        "exporter.child.run.subprocess.Popen",
        "exporter.child.run.Path",
        "exporter.child.worker.main",
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
