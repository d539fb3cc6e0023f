"""A parity report, as a table for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bundle.parity import Parity
from bundle.variants import Variant


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
        f"allowed: {parity.atol:g} + {parity.rtol:g} of the value, the same best class;"
        f"\none image: {times}",
        highlight=False,
    )


def print_trial(variant: Variant, parity: Parity) -> None:
    """Print how a variant did against model.onnx, in a few lines."""
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
