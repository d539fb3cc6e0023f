import pytest
from grpc import StatusCode as Code

import bundle.errors
import runtime.errors
from runtime.errors import TooSlow
from runtime.grpc.errors import CODE, STATUS, Errors
from runtime.http.errors import STATUS as HTTP
from tests.runtime.http.test_errors import OTHERS, leaves


def test_every_error_has_a_status():
    assert leaves(bundle.errors, runtime.errors) | OTHERS == set(CODE)
    assert set(CODE.values()) | {Code.OK, Code.CANCELLED} == set(STATUS)


def test_both_doors_say_alike_whose_fault_an_error_is():
    for error in CODE.keys() - {TooSlow}:  # no call can be too slow
        assert (STATUS[CODE[error]] >= 500) == (HTTP[error] >= "5"), error


def test_a_bug_tells_the_log_why_and_the_client_nothing(caplog):
    code, sentence = Errors().refusal_of(KeyError("a secret"), "/s/M")
    assert code is Code.INTERNAL
    assert "secret" not in sentence
    (record,) = caplog.records
    assert "gRPC /s/M: KeyError('a secret')" in record.message


@pytest.mark.parametrize("error", CODE)
def test_an_error_keeps_its_sentence(error):
    assert Errors().refusal_of(error("it is so"), "/s/M") == (CODE[error], "it is so")
