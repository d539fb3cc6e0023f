"""Descriptions of models, servers and answers, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from bundle.terminal import printable
from runtime.admin import Description
from runtime.cli.quantity import duration, plain, size

if TYPE_CHECKING:
    from tfaas_onnx import ImagePrediction

# A pipe has no width. Lines are not folded there, so that grep finds whole lines.
_PIPE_WIDTH = 1000


def print_models(models: Iterable[Description]) -> None:
    """Print one line for each model."""
    _print(
        ("name", "serves", "versions", "labels", "backend", "state"),
        [
            (
                model["name"],
                _shown(model.get("serves")),
                _ranges(model.get("versions") or []),
                # ``labels`` is TFaaS's key for the name of a file.
                _labels(model.get("version_labels") or {}),
                _backend(model),
                _state(model),
            )
            for model in models
        ],
    )


def print_model(model: Description) -> None:
    """Print one line for each version."""
    _print(
        ("version", "labels", "published", "bytes", "backend", "state"),
        [
            (
                str(version["version"]),
                ", ".join(version.get("labels") or []),
                _shown(version.get("timestamp")),
                f"{version['bytes']:,}",
                _backend(version),
                _state(version),
            )
            for version in model["versions"]
        ],
    )


def print_version(version: Description) -> None:
    """Print one line for each fact; some are known only after the model is loaded."""
    parity, sample = version.get("parity"), version.get("sample")
    facts: list[tuple[str, str | None]] = [
        ("version", f"{version['name']}:{version['version']}"),
        ("labels", ", ".join(version.get("labels") or [])),
        ("published", version.get("timestamp")),
        ("state", _state(version)),
        ("backend", _backend(version)),
        ("ONNX proved", version.get("backend") and _yes_or_no(version.get("proved"))),
        ("parity", parity and ("passed" if parity.get("passed") else "FAILED")),
        ("variant", version.get("variant")),
        ("conversion", version.get("conversion")),
        ("sample", sample and f"{sample['right']} of {sample['images']} right"),
        ("inputs", _tensors(version.get("inputs"))),
        ("outputs", _tensors(version.get("outputs"))),
        ("classes", ", ".join(version.get("classes") or [])),
        ("files", f"{version['bytes']:,} bytes"),
        *(
            ("", f"{file['name']} {file['bytes']:,}")
            for file in version.get("files") or []
        ),
    ]
    _print(None, [(name, fact) for name, fact in facts if fact])


def print_predictions(answers: Iterable[tuple[str, ImagePrediction]]) -> None:
    """Print one line for each class of each picture, the best class first."""
    _print(
        ("picture", "label", "probability"),
        [
            ("" if place else picture, label, f"{probability:.4f}")
            for picture, answer in answers
            for place, (label, probability) in enumerate(
                zip(answer.labels, answer.probabilities.tolist(), strict=True)
            )
        ],
    )


def print_status(place: str, status: Mapping[str, Any]) -> None:
    """Print one line for each fact that a server tells of itself."""
    memory = (status.get("Memory") or {}).get("Virtual") or {}
    walls = status.get("walls") or {}
    facts: list[tuple[str, object]] = [
        ("server", place),
        ("ready", _yes_or_no(status["ready"])),
        ("version", status.get("version")),
        ("up", duration(status.get("Uptime"))),
        ("workers", status.get("workers")),
        ("threads", status.get("threads")),
        ("cores", status.get("cpus")),
        ("load", _load(status.get("Load") or {})),
        ("memory", _of_total(memory)),
        ("requests", _requests(status)),
        ("models", ", ".join(map(str, status.get("models") or [])) or "none loaded"),
        ("onnxruntime", status.get("onnxruntime")),
        ("providers", ", ".join(map(str, status.get("providers") or []))),
        ("walls", walls.get("policy")),
        ("missing walls", ", ".join(map(str, walls.get("missing") or []))),
    ]
    _print(None, [(name, _shown(fact)) for name, fact in facts if fact])


def _print(headings: tuple[str, ...] | None, rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=headings is not None)
    for heading in headings or ("", ""):
        is_number = heading in ("bytes", "probability")
        justify: JustifyMethod = "right" if is_number else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console_of_stdout().print(table)


def console_of_stdout() -> Console:
    """Make the console that prints a table on a terminal or into a pipe."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _state(description: Description) -> str:
    if error := description.get("error"):
        return f"broken: {error}"
    if not description.get("backend"):
        return "loaded on first use"
    if reason := description.get("fallback_reason"):
        return f"ready, fallback: {reason}"
    if reason := description.get("variant_reason"):
        return f"ready, not the variant: {reason}"
    if note := description.get("warm_up"):
        return f"ready, {note}"
    return "ready"


def _backend(description: Description) -> str:
    if not description.get("backend"):
        return ""
    return f"{description['backend']}/{description.get('device')}"


def _ranges(numbers: list[int]) -> str:
    """Write numbers in short: 1, 2, 3 and 5 as ``1-3, 5``."""
    if not numbers:
        return ""
    starts = [numbers[0], *(b for a, b in pairwise(numbers) if b != a + 1)]
    ends = [*(a for a, b in pairwise(numbers) if b != a + 1), numbers[-1]]
    return ", ".join(
        str(start) if start == end else f"{start}-{end}"
        for start, end in zip(starts, ends, strict=True)
    )


def _labels(labels: dict[str, int]) -> str:
    return ", ".join(f"{label}={number}" for label, number in labels.items())


def _tensors(tensors: list[dict[str, Any]] | None) -> str:
    return ", ".join(
        f"{tensor['name']} {tensor['dtype']} "
        f"({', '.join('N' if n is None else str(n) for n in tensor['shape'])})"
        for tensor in tensors or []
    )


def _yes_or_no(fact: object) -> str:
    return "yes" if fact else "no"


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _of_total(memory: Mapping[str, Any]) -> str:
    total, used = memory.get("total"), memory.get("usedPercent")
    if not isinstance(total, (int, float)) or not isinstance(used, (int, float)):
        return ""
    return f"{used:.0f}% of {size(total)}"


def _load(load: Mapping[str, Any]) -> str:
    number = load.get("load1")
    return f"{number:.2f}" if isinstance(number, (int, float)) else ""


def _requests(status: Mapping[str, Any]) -> str:
    counts = {"GET": status.get("getRequests"), "POST": status.get("postRequests")}
    return ", ".join(
        f"{plain(count)} {method}" for method, count in counts.items() if plain(count)
    )
