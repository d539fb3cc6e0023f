"""A terminal's text becomes what stands on the terminal, and a picture of it."""

from xml.etree import ElementTree

from rich.console import Console
from rich.progress import Progress

from tools.recordings import drawn, screen


def test_a_line_that_is_written_anew_stands_there_once():
    assert screen("\r\x1b[2K 10 %\r\x1b[2K100 %\r\ndone\r\n") == "100 %\ndone"


def test_lines_above_are_written_anew_too():
    assert screen("a\r\nb\r\n\x1b[2A\x1b[2Kc\r\n\x1b[2Kd\r\n") == "c\nd"


def test_a_cursor_that_hides_leaves_nothing_and_colours_stay():
    assert screen("\x1b[?25l\x1b[31mred\x1b[0m\x1b[?25h") == "\x1b[31mred\x1b[0m"


def test_a_bar_of_rich_stands_there_as_it_ended():
    console = Console(force_terminal=True, width=60, legacy_windows=False)
    with console.capture() as seen, Progress(console=console) as bar:
        task = bar.add_task("epoch 1/1", total=2)
        bar.update(task, completed=1, refresh=True)
        bar.update(task, completed=2, refresh=True)
    lines = screen(seen.get()).splitlines()
    assert len(lines) == 1
    assert "100%" in lines[0]


def test_a_picture_has_the_text_and_asks_no_host():
    picture = drawn("$ runtime top --once\n\x1b[32mready\x1b[0m & <well>", "top")
    text = "".join(ElementTree.fromstring(picture).itertext())
    assert "runtime\N{NO-BREAK SPACE}top" in text
    assert "<well>" in text
    assert "url(http" not in picture
