"""Steps of the work are shown on standard error."""

from exporter.reports.progress import progress


def test_steps_are_lines_where_there_is_no_terminal(capsys):
    with progress() as tell:
        tell("loading [bold]")
        tell("converting")
    assert capsys.readouterr().err == "  loading [bold]\n  converting\n"


def test_steps_are_one_line_on_a_terminal(capsys, monkeypatch):
    """Its last words take the line away, and show the cursor again (ECMA-48)."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress() as tell:
        tell("converting")
    said = capsys.readouterr().err
    assert "converting" in said
    assert said.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
