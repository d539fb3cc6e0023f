"""A real browser, which asks this machine alone, and a fresh page for each test."""

from __future__ import annotations

import shutil
import urllib.parse
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

# tools/browser.sh installs the first one.
NAMES = ("chromium", "chromium-browser", "google-chrome")

# Chromium would fetch lists and updates, look for its account, and so on.
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    # No other host has an address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
HOSTS = ("127.0.0.1", "localhost")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return the browser of all tests here.

    It ends with the last of them: while it runs, no other test of the process could
    call ``asyncio.run``.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no chromium, and tools/browser.sh could not install it")
    with sync_playwright() as playwright:
        # It shows pages of our own alone, and its sandbox does not start as root, nor
        # in many containers.
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), chromium_sandbox=False
        )
        yield browser
        browser.close()


class Faults:
    """The faults that pages had: errors in the console, and requests to other hosts."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._expected: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        """Note the faults of all pages of a context."""
        context.on(
            "console",
            lambda message: message.type == "error" and self._note(message.text),
        )
        context.on("weberror", lambda error: self._note(str(error.error)))
        context.on("request", lambda request: self._look_at(request.url))

    def expect(self, *parts: str) -> None:
        """Let a test have faults with one of these texts in them."""
        self._expected.extend(parts)

    def check(self) -> None:
        """Fail if there was a fault that the test did not expect."""
        assert not self.taken()

    def taken(self) -> list[str]:
        """Return the faults that were not expected, and forget all."""
        found, self._found = self._found, []
        return [
            fault
            for fault in found
            if not any(part in fault for part in self._expected)
        ]

    def _note(self, fault: str) -> None:
        self._found.append(fault)

    def _look_at(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        here = parts.scheme in ("data", "blob", "file")
        if not here and parts.hostname not in HOSTS:
            self._note(f"a request to {url}")


@pytest.fixture
def faults() -> Faults:
    """Return the faults of the test's page."""
    return Faults()


@pytest.fixture
def page(browser: Browser, faults: Faults) -> Iterator[Page]:
    """Return a fresh page without cookies; a fault of it fails the test."""
    with browser.new_context() as context:
        faults.watch(context)
        yield context.new_page()
    faults.check()
