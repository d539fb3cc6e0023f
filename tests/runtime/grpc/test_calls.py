"""Each call is watched, admitted or refused, counted and logged."""

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc import StatusCode

from runtime.access.gate import Access, Gate
from runtime.access.limiter import RateLimiter
from runtime.errors import InvalidInput
from runtime.grpc.calls import Calls
from runtime.grpc.methods import Method, Watched
from runtime.grpc.places import Places
from runtime.telemetry import logs
from runtime.telemetry.metrics import IN_PROGRESS, TALLY
from tests.runtime.grpc.fakes import Aborted, Context

TOKEN = hashlib.sha256(b"secret").hexdigest()


class Log:
    """A request log that keeps what it is told."""

    requests_level = 0

    def __init__(self):
        self.noted = []

    def note(self, answered):
        self.noted.append(answered)


@pytest.fixture
def log(monkeypatch):
    log = Log()
    monkeypatch.setattr(logs, "request_log", log)
    return log


@pytest.fixture
def in_progress():
    def now():
        TALLY.add_up()
        return IN_PROGRESS._value.get()

    before = now()
    return lambda: now() - before


def calls(gate=None, rate=None, timeout_ms=0):
    limiter = RateLimiter(rate) if rate else None
    return Calls(gate or Gate(), limiter, timeout_ms, Places(streams=1, open_calls=1))


def echo(data, journey):
    journey.model, journey.version = "linear", 3
    return data + b"!"


def unary(method=None, **given):
    method = method or Method("Echo", Access.READ, echo)
    return calls(**given).handler_of("a.B", method).stream_unary


def test_a_call(log, in_progress):
    context = Context(metadata=(("x-request-id", "seven"),)).send(b"hello", None)
    assert unary()(context, context) == b"hello!"
    assert context.trailing == (("x-request-id", "seven"),)
    (answered,) = log.noted
    assert (answered.request_id, answered.client) == ("seven", "127.0.0.1")
    assert (answered.method, answered.path, answered.route) == (
        "GRPC",
        "/a.B/Echo",
        "/a.B/Echo",
    )
    assert (answered.status, answered.bytes_in, answered.bytes_out) == (200, 5, 6)
    assert (answered.model, answered.version) == ("linear", 3)
    assert in_progress() == 0


@pytest.mark.parametrize("given", ["two words", "x" * 129, "é"])
def test_an_odd_id_is_replaced(log, given):
    context = Context(metadata=(("x-request-id", given),)).send(b"", None)
    unary()(context, context)
    ((_, made),) = context.trailing
    assert len(made) == 32
    assert log.noted[0].request_id == made


def test_a_refusal(log, in_progress):
    def refuse(data, journey):
        raise InvalidInput("it is wrong")

    context = Context().send(b"hello", None)
    with pytest.raises(Aborted) as raised:
        unary(Method("Refuse", Access.READ, refuse))(context, context)
    assert raised.value.code is StatusCode.INVALID_ARGUMENT
    assert raised.value.details == "it is wrong"
    assert log.noted[0].status == 400
    assert in_progress() == 0


def test_a_bug_tells_the_client_nothing(log, caplog):
    def fail(data, journey):
        raise KeyError("a secret")

    context = Context().send(b"hello", None)
    with pytest.raises(Aborted) as raised:
        unary(Method("Fail", Access.READ, fail))(context, context)
    assert raised.value.code is StatusCode.INTERNAL
    assert "secret" not in raised.value.details
    assert log.noted[0].status == 500


def test_a_client_that_may_not_ask_is_refused_before_its_message(log):
    context = Context()  # it sends nothing, and nobody waits for that
    with pytest.raises(Aborted) as raised:
        unary(gate=Gate(predict=[TOKEN]))(context, context)
    assert raised.value.code is StatusCode.UNAUTHENTICATED
    context = Context(metadata=(("authorization", "Bearer secret"),)).send(b"", None)
    assert unary(gate=Gate(predict=[TOKEN]))(context, context) == b"!"


def test_a_client_that_asks_too_often(log):
    method = Method("Echo", Access.READ, echo)
    quiet = Method("Live", Access.OPEN, echo, is_quiet=True)
    its = calls(rate="2-D")
    ask, live = (its.handler_of("a.B", one).stream_unary for one in (method, quiet))
    for _ in range(2):
        context = Context().send(b"", None)
        assert ask(context, context) == b"!"
    with pytest.raises(Aborted) as raised:
        ask(Context(), Context())
    assert raised.value.code is StatusCode.RESOURCE_EXHAUSTED
    assert "2 requests a day" in raised.value.details
    other = Context(peer="ipv4:10.0.0.1:1").send(b"", None)
    assert ask(other, other) == b"!"
    context = Context().send(b"", None)
    assert live(context, context) == b"!"


@pytest.mark.parametrize(
    ("left", "timeout_ms", "seconds"),
    [
        (1e10, 0, None),
        (2.0, 0, 2.0),
        (1e10, 500, 0.5),
        (2.0, 500, 0.5),
        (0.5, 9000, 0.5),
    ],
)
def test_the_deadline_is_the_shorter_of_both(log, left, timeout_ms, seconds):
    journeys = []

    def keep(data, journey):
        journeys.append(journey)
        return data

    context = Context(left=left).send(b"", None)
    unary(Method("Keep", Access.READ, keep), timeout_ms=timeout_ms)(context, context)
    (journey,) = journeys
    at = journey.deadline.at
    found = None if at is None else pytest.approx(at - journey.started)
    assert found == seconds
    assert not journey.deadline.is_gone
    for callback in context.callbacks:  # the client leaves
        callback()
    assert journey.deadline.is_gone


def test_a_client_that_leaves_before_its_message_has_come(log, in_progress):
    context = Context()
    context.cancel()
    with pytest.raises(grpc.RpcError):
        unary()(context, context)
    assert log.noted[0].status == 499
    assert in_progress() == 0


def test_a_call_without_a_message(log):
    context = Context().send(None)
    with pytest.raises(Aborted, match="has no message"):
        unary()(context, context)


def test_calls_that_anybody_may_begin_take_no_room_of_others(log):
    its = calls()
    live = its.handler_of("a.B", Method("Live", Access.OPEN, echo)).stream_unary
    ask = its.handler_of("a.B", Method("Echo", Access.READ, echo)).stream_unary
    waiting = Context()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live, waiting, waiting)
        waiting.is_asked.wait(30)
        with pytest.raises(Aborted) as raised:
            live(Context(), Context())
        assert raised.value.code is StatusCode.UNAVAILABLE
        other = Context().send(b"b", None)
        assert ask(other, other) == b"b!"
        waiting.send(b"a", None)
        assert first.result(30) == b"a!"
    again = Context().send(b"c", None)
    assert live(again, again) == b"c!"


# -- streams ---------------------------------------------------------------------------


def answer_or_refuse(data, journey):
    if data == b"bad":
        raise InvalidInput("it is bad")
    return data + b"!"


STREAM = Method(
    "Stream", Access.READ, answer_or_refuse, lambda data, words: data + words.encode()
)


def test_a_refusal_does_not_end_a_stream(log):
    context = Context().send(b"a", b"bad", b"b", None)
    stream = calls().handler_of("a.B", STREAM).stream_stream
    assert list(stream(context, context)) == [b"a!", b"badit is bad", b"b!"]
    assert [one.status for one in log.noted] == [200, 400, 200]


def test_a_message_of_a_stream_is_not_run_for_a_client_that_has_left(log):
    journeys = []

    def keep(data, journey):
        journeys.append(journey)
        return data

    context = Context().send(b"a", b"b")
    stream = calls().handler_of("a.B", STREAM._replace(answer=keep)).stream_stream
    answers = stream(context, context)
    assert [next(answers), next(answers)] == [b"a", b"b"]
    (leave,) = context.callbacks  # one for all messages
    leave()
    assert [one.deadline.is_gone for one in journeys] == [False, True]


def test_a_stream_needs_a_token_before_its_first_message(log, in_progress):
    stream = calls(Gate(predict=[TOKEN])).handler_of("a.B", STREAM).stream_stream
    with pytest.raises(Aborted) as raised:
        list(stream(Context(), Context()))
    assert raised.value.code is StatusCode.UNAUTHENTICATED
    assert log.noted[0].status == 401
    assert in_progress() == 0


def test_tokens_cannot_be_guessed_faster_by_streams(log):
    its = calls(Gate(predict=[TOKEN]), rate="2-D").handler_of("a.B", STREAM)
    right = (("authorization", "Bearer secret"),)
    for metadata, code in (
        ((), StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer wrong"),), StatusCode.UNAUTHENTICATED),
        (right, StatusCode.RESOURCE_EXHAUSTED),
    ):
        context = Context(metadata=metadata)
        with pytest.raises(Aborted) as raised:
            list(its.stream_stream(context, context))
        assert raised.value.code is code


def test_a_stream_makes_room_when_it_ends(log):
    stream = calls().handler_of("a.B", STREAM).stream_stream
    first = Context().send(b"a")
    answers = stream(first, first)
    assert next(answers) == b"a!"
    with pytest.raises(Aborted, match="too many streams"):
        list(stream(Context(), Context()))
    first.cancel()
    with pytest.raises(grpc.RpcError):
        next(answers)
    again = Context().send(b"b", None)
    assert list(stream(again, again)) == [b"b!"]


def test_streams_that_anybody_may_open_take_no_room_of_others(log):
    its = calls()
    anybodys = STREAM._replace(access=Access.OPEN)
    first = Context().send(b"a")
    answers = its.handler_of("a.B", anybodys).stream_stream(first, first)
    assert next(answers) == b"a!"
    with pytest.raises(Aborted, match="too many streams"):
        list(its.handler_of("a.C", anybodys).stream_stream(Context(), Context()))
    other = Context().send(b"b", None)
    stream = its.handler_of("a.B", STREAM).stream_stream
    assert list(stream(other, other)) == [b"b!"]


def test_a_watch_is_told_the_changes_until_its_client_leaves(log):
    contexts = []

    def follow(data, waits):
        yield data
        assert waits()
        yield data
        contexts[0].cancel()
        assert not waits()

    context = Context().send(b"a", None)
    contexts.append(context)
    watch = calls().handler_of("a.B", Watched("Watch", Access.OPEN, follow))
    assert list(watch.stream_stream(context, context)) == [b"a", b"a"]


def test_a_bug_in_a_watch_tells_the_client_nothing(log):
    def fail(data, waits):
        yield data
        raise KeyError("a secret")

    context = Context().send(b"a", None)
    watch = calls().handler_of("a.B", Watched("Watch", Access.OPEN, fail))
    with pytest.raises(Aborted) as raised:
        list(watch.stream_stream(context, context))
    assert raised.value.code is StatusCode.INTERNAL
    assert "secret" not in raised.value.details


def test_the_handlers_take_bytes():
    handler = functools.partial(calls().handler_of, "a.B")
    for method in (STREAM, Method("Echo", Access.READ, echo)):
        assert handler(method).request_deserializer is None
        assert handler(method).response_serializer is None
