"""``python -m tools.capacity`` writes the tables of docs/capacity.md anew."""

from __future__ import annotations

from tools.capacity.page import PAGE, renewed

if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(renewed(text), encoding="utf-8")
