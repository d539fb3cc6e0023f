"""The forms of the log's lines; the slow way of each is the quick way's measure."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.telemetry.answered import Answered
from runtime.telemetry.lines import JsonLines, PlainLines
from tests.calls import calls_of, listed


def test_each_plain_line_has_its_own_time():
    formatter = PlainLines()
    times = []
    for created in (86400.25, 86400.5, 86401.0, 86400.25):
        record = logging.LogRecord("x", logging.INFO, "", 0, "", (), None)
        record.created, record.msecs = created, created % 1 * 1000
        times.append(formatter.format(record).partition(" INFO")[0])
        assert times[-1] == logging.Formatter().formatTime(record)
    assert len(set(times)) == 3


@pytest.mark.parametrize("value", ["é", "\ud800", 1 << 80, Path("a"), {1: 2}, 1.5])
def test_what_a_json_line_says_is_always_ascii_and_json(value):
    record = logging.LogRecord("x", logging.INFO, "", 0, {"value": value}, (), None)
    line = JsonLines().format(record)
    assert line.isascii()
    assert "value" in json.loads(line)


@pytest.mark.parametrize("formatter", [PlainLines(), JsonLines()])
@pytest.mark.parametrize(
    "evil",
    [
        *("a\nb", "a\rb", "a\x1b[2Jb", "a\x85b", "a\u2028b", "a\x00b", "a\x7fb"),
        # These change order or shape: Unicode's bidi controls, joiners, tags, lone
        # surrogates.
        *("a\u202eb", "a\u2066b", "a\u061cb", "a\u200bb", "a\u00adb", "a\ufeffb"),
        *("a\U000e0041b", "a\ud800b", "a\u2029b"),
    ],
)
def test_what_a_client_sends_does_not_end_a_line(formatter, evil):
    for message in (f"GET /{evil}: no", {"path": evil}):
        record = logging.LogRecord("x", logging.INFO, "", 0, message, (), None)
        line = formatter.format(record)
        assert line.isprintable()
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/a b", 'x="/a b"'),
        ('a"b', 'x="a\\"b"'),
        ("a=b", 'x="a=b"'),
        ("a\\b", 'x="a\\\\b"'),
        (1.25, "x=1.25"),
    ],
)
def test_a_value_does_not_run_into_the_next(value, shown):
    record = logging.LogRecord("x", logging.INFO, "", 0, {"x": value}, (), None)
    assert PlainLines().format(record).endswith(f" INFO x: {shown}")


# -- requests -------------------------------------------------------------------------

ROUTES = st.sampled_from(
    ["/predict/image", "/models/{name}", "/m/{name}/v/{version}", "/é", "unknown"]
)
METHODS = st.sampled_from(["GET", "POST", "_OTHER"])
TEXTS = st.text(max_size=20)
SECONDS = st.floats(0, 1e6)
SIZES = st.none() | st.integers(0, 2**63)
IDS = st.from_regex(r"[A-Za-z0-9._:/+=@-]{1,128}", fullmatch=True)


@st.composite
def requests(draw):
    """Draw the facts of a request: those of most clients, and odd ones."""
    route, method = draw(ROUTES), draw(METHODS)
    model = draw(st.sampled_from(["", "mnist", "1"]) | TEXTS)
    version = draw(st.none() | st.integers(0, 2) | st.integers(0, 2**63))
    path = route.replace("{name}", model).replace("{version}", str(version))
    return Answered(
        request_id=draw(IDS | TEXTS),
        trace_id=draw(st.sampled_from(["", "", "f" * 32]) | TEXTS),
        model=model,
        version=version,
        backend=draw(st.sampled_from(["", "onnxruntime/CPUExecutionProvider"])),
        items=draw(st.integers(0, 2**63)),
        ended=draw(st.floats(0, 4e9)),
        level=draw(st.sampled_from([logging.DEBUG, logging.INFO])),
        sent_method=draw(st.just(method) | TEXTS),
        method=method,
        path=draw(st.sampled_from([route, path]) | TEXTS),
        route=route,
        status=draw(st.integers(100, 599)),
        seconds=draw(SECONDS),
        stages=draw(st.tuples(*[SECONDS] * 4) | st.tuples(*[st.none() | SECONDS] * 4)),
        client=draw(st.sampled_from(["127.0.0.1", "::1", ""]) | TEXTS),
        bytes_in=draw(SIZES),
        bytes_out=draw(SIZES),
    )


@pytest.mark.parametrize("lines", [PlainLines(), JsonLines()])
@given(answered=requests())
def test_the_line_of_a_request_is_that_of_its_record(lines, answered):
    assert lines.request(answered) == lines.format(answered.record())


def test_the_record_of_a_request_has_loggings_own_time():
    for ended in (86400.25, 1764367255.9996, 1.0):
        answered = Answered(
            *("abc-1", "", "", None, "", 0, ended, logging.INFO, "GET", "GET", "/"),
            *("/", 200, 0.5, (None,) * 4, "", None, None),
        )
        record = answered.record()
        expected = logging.LogRecord("x", logging.INFO, "", 0, "", (), None)
        expected.created, expected.msecs = ended, (ended - int(ended)) * 1000
        assert PlainLines().formatTime(record) == logging.Formatter().formatTime(
            expected
        )


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/predict", "/predict"),
        ("/v2/models/mnist/infer", "/v2/models/{name}/infer"),
        (
            "/v2/models/mnist/versions/1/infer",
            "/v2/models/{name}/versions/{version}/infer",
        ),
    ],
)
@pytest.mark.parametrize("lines", [PlainLines(), JsonLines()])
def test_the_line_of_a_usual_request_takes_few_calls(lines, path, route):
    """The slow way takes 20 calls or more."""
    answered = Answered(
        *("abc-1", "", "mnist", 1, "onnx/cpu", 1, 1.5, logging.INFO, "POST", "POST"),
        *(path, route, 200, 0.5, (0.1,) * 4, "127.0.0.1", 280, 105),
    )
    lines.request(answered)  # the pieces are remembered
    calls = calls_of(lambda: lines.request(answered))
    assert len(calls) <= 12, listed(calls)


def test_paths_that_clients_invent_are_not_remembered():
    lines = PlainLines()
    for number in range(3000):
        path = f"/models/{number}"
        lines.request(
            Answered(
                *("abc-1", "", "", None, "", 1, 1.5, logging.INFO, "POST", "POST"),
                *(path, "/models/{name}", 404, 0.5, (0.1,) * 4, "127.0.0.1", 280, 105),
            )
        )
    assert not lines._templates._made
