"""Pages of HTML, as their parser sees them."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """A page's parts.

    Attributes:
        tags: the names of its tags, in their order.
        attributes: the tag, the name and the value of each attribute.
        open: the tags that were never closed.
        words: all of its text but for its style.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words = ""
        self.text = text
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data

    def assert_needs_nothing(self) -> None:
        """Check that the page runs nothing, and that all that it shows is inside it."""
        assert "http" not in self.text
        assert "url(" not in self.text
        assert "@import" not in self.text
        assert set(self.tags).isdisjoint({"script", "link", "iframe", "object", "form"})
        assert not [name for _, name, _ in self.attributes if name.startswith("on")]
        places = [v for _, n, v in self.attributes if n in ("src", "href", "srcset")]
        assert all(place.startswith("data:image/png;base64,") for place in places)
