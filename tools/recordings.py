"""``python -m tools.recordings`` makes the pictures of terminals in docs/images/.

It types the commands on a terminal, and draws what stands there when each has ended: a
training of one epoch, its conversion, and the state and the load of a service. The
pictures are SVG, so a reader can select and search their text. ``python -m
tools.recordings top status`` makes those two alone. It takes some minutes.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.documents import ROOT
from tests.end_to_end.terminal import on_terminal
from tools.showcase import showcase

FOLDER = ROOT / "docs" / "images"
COLUMNS = 100
SECONDS = 10

# The service has another address each time; readers start it at this one.
ADDRESS = "http://localhost:8083"

_DULL = ("2c343d", "ff9c6e", "45cda0", "f0b64a", "6cbcf0", "d996bb", "56b4e9", "e7eaee")
_BRIGHT = ("9ca7b3", *_DULL[1:7], "ffffff")


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue


# The dark paper of the service's page, and its colours, which can be read on it.
THEME = TerminalTheme(
    _rgb("14181d"), _rgb("e7eaee"), [*map(_rgb, _DULL)], [*map(_rgb, _BRIGHT)]
)

# rich's own form of the picture loads a font from another host.
FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, \
Consolas, "DejaVu Sans Mono", monospace; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" \
clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""

_CONTROL = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(\r?\n)|(\r)")


def main() -> None:
    """Make the pictures that are named, or all."""
    wanted = sys.argv[1:] or ["train", "convert", "status", "top"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record("trainer run --fout=mnist --model=mnist", folder, "train", wanted)
        record("exporter convert ./mnist", folder, "convert", wanted)
        (folder / "service").mkdir()
        with showcase(folder / "service", folder / "mnist") as url:
            time.sleep(SECONDS)
            record("runtime status", folder, "status", wanted, url)
            record("runtime top --once", folder, "top", wanted, url)


def record(
    command: str, folder: Path, name: str, wanted: list[str], url: str = ADDRESS
) -> None:
    """Type a command, and draw its terminal if this picture is wanted.

    Raises:
        RuntimeError: the command failed.
    """
    code, text = on_terminal(
        command, folder, columns=COLUMNS, more={"MODELS_SERVER": url}
    )
    if code:
        raise RuntimeError(f"{command!r} ended with {code}:\n{text}")
    if name in wanted:
        shown = f"$ {command}\n{screen(text).replace(url, ADDRESS)}"
        (FOLDER / f"{name}.svg").write_text(drawn(shown, name), encoding="utf-8")


def screen(text: str) -> str:
    """Return what stands on a terminal after it has got a text; colours stay.

    A bar of progress goes up and to the left, and writes anew what stands there.
    """
    lines, row, start = [""], 0, 0
    for found in [*_CONTROL.finditer(text), None]:
        lines[row] += text[start : found.start() if found else None]
        if found is None:
            break
        start = found.end()
        if found[2] == "m":
            lines[row] += found[0]
        elif found[2] == "A":
            row = max(0, row - int(found[1] or 1))
        elif found[2] == "K":
            lines[row] = ""
        elif found[3]:
            row += 1
            lines += [""] * (row == len(lines))
    return "\n".join(lines).rstrip()


def drawn(text: str, name: str) -> str:
    """Return the SVG of a terminal with a text, whose colours are ANSI's.

    Args:
        text: the lines of the terminal.
        name: a word that begins the names of the picture's styles.
    """
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(Text.from_ansi(text), highlight=False)
    svg = console.export_svg(
        title="", theme=THEME, code_format=FORM, unique_id=f"terminal-{name}"
    )
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
