"""A progress bar is shown on a terminal, and nowhere else."""

import io

import pytest

from runtime.admin import Transfer
from runtime.cli.bar import counted, scoring, shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def read(transfer, what="pushing x.tar.gz"):
    with shown(transfer, what) as seen:
        return b"".join(seen.chunks), seen.length


@pytest.mark.parametrize("length", [6, None])
def test_a_terminal_is_shown_how_far_it_is(monkeypatch, length):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    chunks = [b"abc", b"def"]
    assert read(Transfer(chunks, length), "pushing [b]x[/b]") == (b"abcdef", length)
    assert "pushing [b]x[/b]" in terminal.getvalue(), "a file's name is no markup"
    assert ("6/6 bytes" if length else "6/? bytes") in terminal.getvalue()


def test_a_pipe_gets_no_bar(capsys):
    transfer = Transfer([b"abc"], 3)
    with shown(transfer, "pushing") as seen:
        assert seen is transfer
    assert capsys.readouterr() == ("", "")


def test_long_work_is_counted_on_a_terminal_alone(monkeypatch, capsys):
    with counted(40, "predicting", 32) as advance:
        advance(40)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with counted(32, "predicting", 32) as advance:
        advance(32)
    assert terminal.getvalue() == ""
    with counted(40, "predicting", 32) as advance:
        advance(32)
        advance(8)
    assert "predicting" in terminal.getvalue()
    assert "40/40" in terminal.getvalue()


def test_a_scoring_tells_how_far_it_is(monkeypatch, capsys):
    with scoring(50, iter([0.0, 0.0, 5.0, 11.0, 11.0]).__next__) as tell:
        for done in (10, 20, 30):
            tell(done, done // 10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["10 of 50 items, 1 rejected", "30 of 50 items, 3 rejected"]
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with scoring(50) as tell:
        tell(20, 1)
        tell(50, 2)
    assert "50/50" in terminal.getvalue()
    assert "2 rejected" in terminal.getvalue()
    assert "items/s" in terminal.getvalue()
