"""Times, sizes and rates in short, for people."""

from __future__ import annotations


def duration(seconds: object) -> str:
    """Write a time in short: ``0.42ms``, ``12s``, ``3h 5m``; empty if it is none."""
    if not isinstance(seconds, (int, float)):
        return ""
    # Just below 1000, three digits would round to 1e+03.
    if seconds < 0.9995:
        # Nobody reads nanoseconds, and their digits would widen a column.
        return f"{round(seconds * 1000, 3 if seconds >= 0.0001 else 2):.3g}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}m"
    hours = minutes // 60
    return (
        f"{hours}h {minutes % 60}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"
    )


def size(count: float) -> str:
    """Write a number of bytes in short, such as ``1.3MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g}TB"


def rate(number: float) -> str:
    """Write a number a second in short; a small one keeps three digits."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def plain(number: object) -> str:
    """Write a number without needless zeros; empty if it is none."""
    return f"{number:g}" if isinstance(number, (int, float)) else ""
