from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bundle.errors import BundleError, StoreError
from bundle.terminal import (
    Failed,
    Group,
    StorePlace,
    WrongInput,
    printable,
    quiet_stderr,
)


@pytest.mark.parametrize(("error", "code"), [(Failed, 1), (WrongInput, 2)])
def test_command_ends_with_its_code_and_one_sentence(
    error: type[click.ClickException], code: int
) -> None:
    @click.command()
    def command() -> None:
        raise error("labels.txt is missing")

    result = CliRunner().invoke(command)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr == "Error: labels.txt is missing\n"


def test_domain_error_is_wrong_input() -> None:
    assert ended_by(BundleError("labels.txt is missing")) == (
        2,
        "Error: labels.txt is missing\n",
    )


def test_what_the_disk_refuses_is_work_that_failed() -> None:
    assert ended_by(StoreError("the store cannot be written")) == (
        1,
        "Error: the store cannot be written\n",
    )


def test_other_failures_of_the_system_are_bugs() -> None:
    """They are not caught, because the command's author must learn of them."""

    @click.group(cls=Group)
    def group() -> None:
        pass

    @group.command()
    def command() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert isinstance(CliRunner().invoke(group, ["command"]).exception, OSError)


def test_ctrl_c_ends_a_command_as_a_shell_expects() -> None:
    assert ended_by(KeyboardInterrupt()) == (130, "interrupted\n")


def ended_by(error: BaseException) -> tuple[int, str]:
    @click.group(cls=Group)
    def group() -> None:
        pass

    @group.command()
    def command() -> None:
        raise error

    result = CliRunner().invoke(group, ["command"])
    return result.exit_code, result.stderr


def test_sigterm_ends_a_command_and_lets_it_clean_up() -> None:
    cleaned = []

    @click.group(cls=Group)
    def group() -> None:
        pass

    @group.command()
    def command() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    before = signal.getsignal(signal.SIGTERM)
    assert CliRunner().invoke(group, ["command"]).exit_code == 143
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_printable_stays_and_nothing_moves_a_cursor() -> None:
    assert printable("größer: 2") == "größer: 2"
    assert printable("one\ntwo\tthree") == "one two three"
    assert printable("\x1b[2J\x07\u202e") == "\ufffd[2J\ufffd\ufffd"


def test_quiet_holds_back_all_that_is_written_to_the_descriptor(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(2, "w", buffering=4096, closefd=False) as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        print("before", file=sys.stderr)  # This line waits in the buffer.
        with quiet_stderr():
            os.write(2, b"tensorflow speaks")
            print("python speaks", file=sys.stderr)
            os.write(1, b"on standard output")
        print("after", file=sys.stderr)
    got = capfd.readouterr()
    assert got.err == "before\nafter\n"
    assert got.out == "on standard output"


def test_quiet_that_is_switched_off_holds_nothing_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_stderr(enabled=False):
        os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_error_travels_and_the_descriptor_is_given_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyError, match="bug"), quiet_stderr():
        os.write(2, b"unseen")
        raise KeyError("bug")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_quiet_keeps_no_descriptor_open(capfd: pytest.CaptureFixture[str]) -> None:
    def lowest_free() -> int:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = lowest_free()
    for _ in range(3):
        with quiet_stderr(), quiet_stderr():
            pass
    assert lowest_free() == before


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("models", Path("models")),
        ("s3://bucket/models/", "s3://bucket/models"),
        ("file:///srv/models", "file:///srv/models"),
        ("./s3:/bucket", Path("s3:/bucket")),
    ],
)
def test_a_store_is_a_folder_or_a_url(text, place):
    assert StorePlace().convert(text, None, None) == place


@pytest.mark.parametrize(
    "text", ["", "ftp://host/x", "s3://", "s3://[b", "https://bucket/x"]
)
def test_what_is_no_store_is_a_wrong_argument(text):
    with pytest.raises(click.BadParameter):
        StorePlace().convert(text, None, None)


def test_an_error_shows_no_key_of_a_url():
    for text in ("s3://me:secret@bucket/x", "s3://bucket/x?key=secret#secret"):
        with pytest.raises(click.BadParameter, match="'s3://bucket/x' has more") as bad:
            StorePlace().convert(text, None, None)
        assert "secret" not in str(bad.value)
