"""A call is repeated when that may help and cannot harm; its errors have types."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.tfaas_onnx.talk import PLACE, Talk
from tfaas_onnx import (
    Body,
    Conflict,
    Forbidden,
    InvalidInput,
    NotAService,
    NotFound,
    Refused,
    ServerError,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)

BUSY = (503, {"Retry-After": "1"}, {"error": "busy"})
NONE = (200, {}, [])
CUT = Unreachable("cut", was_connected=True)
CLOSED = Unreachable("nothing listens")
PUBLISHED = (200, {}, {"name": "a", "version": 1, "backend": "b"})


def upload(talk, is_once=False):
    return talk.run(talk.core.upload(Body(lambda: [b"x"], 1, is_once), None))


# The proxy of Ray Serve makes 500 of all that other proxies call 502, 503 and 504.
OF_RAY = (500, {"Content-Type": "text/plain"}, b"Internal Server Error")


@pytest.mark.parametrize(
    "failure", [BUSY, (429, {}, b""), (502, {}, b""), OF_RAY, CUT, CLOSED]
)
def test_a_read_is_repeated(failure):
    talk = Talk(failure, failure, NONE)
    assert talk.run(talk.core.models()) == []
    assert len(talk.sent) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 504])
def test_what_would_fail_again_is_not_repeated(status):
    talk = Talk((status, {}, {"error": "no"}))
    with pytest.raises(Exception, match="no"):
        talk.run(talk.core.status())
    assert len(talk.sent) == 1


@pytest.mark.parametrize(
    ("failure", "is_repeated"),
    [
        (BUSY, True),
        ((429, {}, b""), True),
        (CLOSED, True),
        ((503, {}, b""), False),
        ((502, {}, b""), False),
        (OF_RAY, False),
        (CUT, False),
        (Timeout("silent"), False),
    ],
)
def test_a_change_is_repeated_only_if_the_server_surely_did_not_act(
    failure, is_repeated
):
    talk = Talk(failure, PUBLISHED)
    if is_repeated:
        assert upload(talk).version == 1
    else:
        with pytest.raises(Exception, match="silent|cut|answered"):
            upload(talk)
    assert len(talk.sent) == 1 + is_repeated
    talk = Talk(failure, (200, {}, {"deleted": "a"}))
    if is_repeated:
        talk.run(talk.core.delete("a", None))
    else:
        with pytest.raises(Exception, match="silent|cut|answered"):
            talk.run(talk.core.delete("a", None))


def test_a_body_that_can_be_read_once_is_sent_again_only_if_nobody_read_it():
    assert upload(Talk(CLOSED, PUBLISHED), is_once=True).version == 1
    with pytest.raises(Unavailable, match="busy"):
        upload(Talk(BUSY, PUBLISHED), is_once=True)


def test_an_unknown_host_is_not_asked_again():
    talk = Talk(Unreachable("there is no host", may_pass=False), NONE)
    with pytest.raises(Unreachable, match="no host"):
        talk.run(talk.core.models())


def test_repetitions_have_an_end():
    talk = Talk(*[BUSY] * 4, retries=3)
    with pytest.raises(Unavailable, match="^busy$") as busy:
        talk.run(talk.core.models())
    assert (len(talk.sent), busy.value.retry_after) == (4, 1.0)


def test_waits_double_and_a_part_of_them_is_left_to_chance():
    talk = Talk(*[CUT] * 8, NONE, retries=8, chance=0)
    talk.run(talk.core.models())
    assert talk.waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5]
    talk = Talk(CUT, CUT, NONE, chance=1)
    talk.run(talk.core.models())
    assert talk.waits == [0.1, 0.2]


def test_the_server_says_how_long_to_wait_at_least():
    talk = Talk(BUSY, BUSY, NONE, chance=0)
    talk.run(talk.core.models())
    assert talk.waits == [1, 1]
    talk = Talk(BUSY, NONE, chance=1)
    talk.run(talk.core.models())
    assert talk.waits == [1.25]


def test_a_wait_may_be_a_date():
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    talk = Talk((503, {"Retry-After": when}, b""), NONE, seconds=1000)
    talk.run(talk.core.models())
    assert 90 < talk.waits[0] <= 100


@pytest.mark.parametrize("when", ["", "soon", "-1", "1e9", "9" * 30])
def test_a_wait_that_nobody_understands_is_none(when):
    talk = Talk((503, {"Retry-After": when}, b""), retries=0)
    with pytest.raises(Unavailable) as busy:
        talk.run(talk.core.models())
    assert busy.value.retry_after is None


def test_repetitions_end_with_the_patience():
    """The waits of 4 s begin at 0 and 4, and a third would end at 12."""
    busy = (503, {"Retry-After": "4"}, {"error": "busy"})
    talk = Talk(*[busy] * 9, retries=8, seconds=10)
    with pytest.raises(Unavailable):
        talk.run(talk.core.models())
    assert talk.waits == [4, 4]
    assert [send.seconds for send in talk.sent] == [10, 6, 2]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidInput),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, Refused),
        (408, Timeout),
        (409, Conflict),
        (413, InvalidInput),
        (415, InvalidInput),
        (422, InvalidInput),
        (429, TooManyRequests),
        (500, ServerError),
        (503, Unavailable),
        (504, Timeout),
    ],
)
def test_each_status_has_its_error_with_the_sentence_of_the_server(status, error):
    talk = Talk((status, {"X-Request-Id": "abc"}, {"error": "so it is"}), retries=0)
    with pytest.raises(error, match="^so it is$") as told:
        talk.run(talk.core.status())
    assert type(told.value) is error
    assert (told.value.status, told.value.request_id) == (status, "abc")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((502, {}, b"<h1>"), "answered 502 Bad Gateway, as a proxy does"),
        ((413, {}, b"<h1>"), "answered 413 Request Entity Too Large: a proxy"),
        ((301, {"Location": "https://b"}, b""), "redirects to https://b; give that"),
        ((500, {}, {"error": 3}), "answered 500 Internal Server Error"),
        ((500, {}, b"[" * 100_000), "answered 500 Internal Server Error"),
    ],
)
def test_a_reply_without_a_sentence_gets_one(reply, words):
    talk = Talk(reply, retries=0)
    with pytest.raises(Exception, match=f"^{PLACE} {words}"):
        talk.run(talk.core.status())


@pytest.mark.parametrize("content", [b"<h1>It works!</h1>", {}, [1], [{"name": ".."}]])
def test_a_reply_of_another_shape_is_another_programs(content):
    talk = Talk((200, {}, content))
    with pytest.raises(NotAService, match=f"^{PLACE} is no tfaas-onnx service"):
        talk.run(talk.core.models())


def test_a_server_without_the_list_of_models_is_another_program():
    talk = Talk((404, {}, {"error": "there is no such route"}))
    with pytest.raises(NotAService, match="it has no /models; the URL must end with"):
        talk.run(talk.core.models())
