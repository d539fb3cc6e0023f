"""The kernel answers; the numbers of its errors are those of errno.h."""

import errno
import os
import sys

import pytest

from runtime.walls import libc

# linux/prctl.h: an option that no kernel has, and the one that tells whether
# a process may be dumped.
NO_OPTION, GET_DUMPABLE = 0x7FFFFFFF, 3


@pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's calls")
def test_what_the_kernel_answers_is_given_and_its_refusal_is_an_error():
    assert libc.succeed(libc.prctl(GET_DUMPABLE)) in (0, 1, 2)
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)) as caught:
        libc.succeed(libc.prctl(NO_OPTION))
    assert caught.value.errno == errno.EINVAL


def test_no_other_system_has_these_calls(monkeypatch):
    monkeypatch.setattr(libc, "_function", libc._function.__wrapped__)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert libc.prctl(GET_DUMPABLE) == libc.syscall(39) == -1
    assert libc.capget(None, None) == libc.capset(None, None) == -1
