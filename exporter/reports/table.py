"""Print proofs, timings and inspections as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bundle.parity import Parity
from bundle.variants import Variant
from exporter.errors import describe

if TYPE_CHECKING:  # Printing a proof must not import the engines.
    from exporter.bench import Timing
    from exporter.reports.inspect import Inspection, Tensor


def print_table(parity: Parity) -> None:
    """Print each case, the tolerances, and both engines' speed."""
    table = Table(title="parity: onnxruntime against tensorflow", title_justify="left")
    for heading in ("inputs", "batch", "samples", "max abs", "max rel", "top-1", ""):
        table.add_column(heading, justify="left" if heading == "inputs" else "right")
    for case in parity.cases:
        table.add_row(
            case.inputs,
            str(case.batch_size),
            str(case.samples),
            f"{case.max_abs_diff:.1e}",
            f"{case.max_rel_diff:.1e}",
            f"{case.top1_agreement:.2%}",
            "ok" if case.passed else "FAILED",
        )
    console = Console()
    console.print(table)
    times = ", ".join(
        f"{name} {value:.3f} ms"
        for name, value in parity.milliseconds_per_image.items()
    )
    console.print(
        f"{describe(parity)}\none item: {times}", highlight=False, markup=False
    )


def print_trial(variant: Variant, parity: Parity) -> None:
    """Print in a few lines how a variant compares with model.onnx."""
    trial = parity.trial
    if trial is None:
        return
    times = [
        f"batch {size}: {by['variant']:.3f} ms, fp32 {by['fp32']:.3f} ms"
        for size, by in trial.milliseconds.items()
    ]
    lines = [
        f"{variant}: {trial.measure} {trial.variant:.2%}, fp32 {trial.fp32:.2%}, on"
        f" {trial.items} items; largest difference {parity.max_abs_diff:.1e}",
        *times,
        *([f"calibrated on {trial.calibrated_on}"] if trial.calibrated_on else []),
        *([trial.remark] if trial.remark else []),
    ]
    Console().print("\n".join(lines), highlight=False, markup=False)


def print_timings(timings: Sequence[Timing]) -> None:
    """Print both engines side by side: milliseconds for a batch, and the speed-up."""
    table = Table(title="milliseconds a batch, median", title_justify="left")
    for heading in ("threads", "batch", "tensorflow", "onnxruntime", "speed-up"):
        table.add_column(heading, justify="right")
    by_batch: dict[tuple[int, int], dict[str, float]] = {}
    for timing in timings:
        row = by_batch.setdefault((timing.threads, timing.batch_size), {})
        row[timing.engine] = timing.milliseconds
    for (threads, size), row in by_batch.items():
        tensorflow, onnx = row["tensorflow"], row["onnxruntime"]
        table.add_row(
            str(threads),
            str(size),
            f"{tensorflow:.3f}",
            f"{onnx:.3f}",
            f"{tensorflow / onnx:.2f} x",
        )
    Console().print(table)


def print_inspection(found: Inspection) -> None:
    """Print the description of an ONNX file, one line for each fact."""
    flops = "no fixed number" if found.flops is None else f"{found.flops:,} an item"
    opsets = (f"{domain or 'ai.onnx'} {n}" for domain, n in found.opsets.items())
    facts = {
        "file": found.file,
        "size": f"{found.size_bytes:,} bytes",
        **{f"input {tensor.name}": _shown(tensor) for tensor in found.inputs},
        **{f"output {tensor.name}": _shown(tensor) for tensor in found.outputs},
        "operators": ", ".join(f"{n} {op}" for op, n in found.operators.items()),
        "parameters": f"{found.parameters:,}",
        "FLOPs": flops,
        "opset": ", ".join(opsets),
        "IR version": str(found.ir_version),
        "written by": found.producer,
        **found.metadata,
    }
    table = Table(box=None, show_header=False)
    for name, fact in facts.items():
        # A Text is printed as it is: brackets in it are not markup.
        table.add_row(Text(name), Text(fact))
    Console().print(table)


def _shown(tensor: Tensor) -> str:
    return f"{tensor.dtype} ({', '.join(map(str, tensor.shape))})"
