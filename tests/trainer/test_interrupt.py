"""A signal ends the work once, at a point where it does no harm."""

from __future__ import annotations

import contextlib
import signal

import pytest

from trainer.interrupt import Interrupt, Interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_raises_and_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught, Interrupt():
        signal.raise_signal(number)
    assert caught.value.number == number
    assert signal.getsignal(number) is before


def test_second_signal_does_not_break_the_cleaning_up() -> None:
    cleaned = []
    with pytest.raises(Interrupted), Interrupt():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned.append(True)
    assert cleaned


def test_held_signal_comes_after_the_work() -> None:
    done = []

    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        done.append(True)

    with pytest.raises(Interrupted), Interrupt() as interrupt:
        interrupt.run_held(work)
    assert done


def test_signal_lost_on_the_way_is_found_by_the_next_check() -> None:
    with pytest.raises(Interrupted), Interrupt() as interrupt:
        # Python swallows an exception that is raised in a finalizer, as this block
        # does.
        with contextlib.suppress(Interrupted):
            signal.raise_signal(signal.SIGINT)
        interrupt.check()


def test_error_that_a_signal_caused_is_the_signal() -> None:
    with pytest.raises(Interrupted), Interrupt():
        try:
            signal.raise_signal(signal.SIGINT)
        except Interrupted:
            raise ImportError("initialization failed") from None


def test_ignored_sigint_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_error_after_a_held_signal_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="disk full"), Interrupt() as interrupt:
        interrupt.hold()
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk full")
