"""A figure of a report: it is drawn by matplotlib, and stands in a page as a PNG."""

from __future__ import annotations

import base64
import io
import struct
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people can tell apart.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GRAY = "#6B7280"

# The colour of each engine in all plots.
ENGINE_COLOURS = {"tensorflow": ORANGE, "onnxruntime": BLUE}

_DPI = 144
# A page shows so many dots of a picture as one of its own pixels, so that the picture
# is sharp on a screen of a phone and on paper.
_DOTS = 1.5
# The words of a PNG's header: width and height follow the signature and the chunk IHDR.
_SIZE_AT = 16


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches."""
    # pyplot is not used, because it keeps every figure and looks for a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def tidy(axes: Axes, **labels: Any) -> None:
    """Give axes their labels, a quiet grid, and no frame."""
    axes.set(**labels)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, alpha=0.25)
    axes.set_axisbelow(True)


def png_of(figure: Figure) -> bytes:
    """Draw a figure as a PNG."""
    picture = io.BytesIO()
    with warnings.catch_warnings():
        # The plot's font lacks some scripts; the page's tables have all labels.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(picture, format="png", dpi=_DPI)
    return picture.getvalue()


def figure_html(png: bytes, alt: str, caption: str, kind: str = "plot") -> str:
    """Make a page's figure, with the PNG inside.

    Args:
        png: the picture.
        alt: the text for people who cannot see the picture.
        caption: the text below it.
        kind: ``plot``, or ``photos``, whose colours a dark page must not turn.
    """
    width, height = struct.unpack_from(">II", png, _SIZE_AT)
    content = base64.b64encode(png).decode()
    return (
        f'<figure class="{kind}"><img width="{width / _DOTS:.0f}"'
        f' height="{height / _DOTS:.0f}" alt="{escape(alt)}"'
        f' src="data:image/png;base64,{content}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
