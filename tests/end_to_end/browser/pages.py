"""A person draws on the page, drops files on it and pastes into it."""

from __future__ import annotations

import base64
from collections.abc import Callable

from playwright.sync_api import Page, expect

# A busy machine of two cores answers slowly.
expect.set_options(timeout=60_000)

# The strokes of a three and of a one on a pad of 280 x 280.
THREE = [(90, 70), (140, 50), (190, 75), (180, 120), (130, 138), (185, 155), (195, 205)]
THREE += [(140, 232), (85, 210)]

_TRANSFER = """([name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, {type}));
    return transfer;
}"""


def draw(page: Page, strokes: list[tuple[int, int]], release: bool = True) -> None:
    """Draw on the pad with the mouse."""
    pad = page.locator(".pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    scale = box["width"] / 280
    places = [(box["x"] + x * scale, box["y"] + y * scale) for x, y in strokes]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    if release:
        page.mouse.up()


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    """Drop a file on the page."""
    page.locator("main").dispatch_event(
        "drop", {"dataTransfer": _file(page, name, kind, content)}
    )


def paste(page: Page, name: str, kind: str, content: bytes) -> None:
    """Paste a file from the clipboard."""
    page.evaluate(
        "(clipboardData) => document.body.dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData, bubbles: true}))",
        _file(page, name, kind, content),
    )


def hasten(page: Page, is_so: Callable[[], bool]) -> None:
    """Let the page's own time run ten times as fast until something is so.

    The page's clock must be installed before the page is opened.
    """
    for _ in range(600):
        if is_so():
            return
        page.clock.run_for(1000)
        page.wait_for_timeout(100)
    raise AssertionError("it was not so after ten minutes of the page's time")


def _file(page: Page, name: str, kind: str, content: bytes):
    return page.evaluate_handle(
        _TRANSFER, [name, kind, base64.b64encode(content).decode()]
    )
