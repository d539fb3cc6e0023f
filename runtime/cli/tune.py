"""``runtime tune NAME``: measure, choose, and write it into config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bundle.disk import refusal
from bundle.objects.opening import open_store
from bundle.spec import read_spec
from bundle.staging import replace_file
from bundle.terminal import Failed, WrongInput
from runtime.config import VARIABLE, config_from_json, config_path, load_config

if TYPE_CHECKING:
    from runtime.models.tuning import Setting


@click.command()
@click.argument("name")
@click.option(
    "--latency",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="Let 99 of 100 runs take this many milliseconds.  [default: no target]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.01, max=60),
    default=0.5,
    show_default=True,
    help="Try each setting for this many seconds.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing.")
def tune(name: str, latency: float | None, seconds: float, dry_run: bool) -> None:
    """Find the workers, threads and batches that suit NAME on this machine.

    Each setting is run for a moment, in as many processes as it has workers; stop the
    service meanwhile. The best setting is written into config.json of the working
    folder, or the file that $TFAAS_CONFIG names. The command exits with 1 if no setting
    reaches --latency.
    """
    # The imports stand here, so that --help does not wait for numpy.
    from runtime.backends.options import BackendOptions
    from runtime.models.tuning import Trial, choose, measure, settings
    from runtime.process.cores import usable_cores

    config = load_config()
    spec = read_spec(name)
    if spec is None:
        raise WrongInput(f"{name!r} is no model's name; give NAME or NAME:VERSION")
    version = open_store(config.model_dir).find(spec.name, spec.version, spec.label)
    options = BackendOptions(
        onnx=config.onnx, provider=config.provider, variant=config.variant
    )
    click.echo(_line("workers", "threads", "batch", "items/s", "p50 ms", "p99 ms"))

    def tell(trial: Trial) -> None:
        of = trial.setting
        counts = (of.workers, of.intra_op_threads, of.batch_size)
        times = (f"{trial.p50_ms:.3g}", f"{trial.p99_ms:.3g}")
        click.echo(_line(*map(str, counts), f"{trial.items_per_second:,.0f}", *times))

    tried = settings(usable_cores(), config.max_batch_size)
    trials = measure(version.path, options, tried, seconds, tell)
    best = choose(trials, latency)
    if best is None:
        quickest = min(trial.p99_ms for trial in trials)
        raise Failed(
            f"no setting answers 99 of 100 runs within {latency:g} ms; the quickest"
            f" takes {quickest:.3g} ms"
        )
    found = _found(best.setting)
    # This is the form of config.json, so that it can be copied there.
    shown = {"workers": best.setting.workers, "models": {spec.name: found}}
    click.echo(json.dumps(shown))
    if not dry_run:
        click.echo(f"wrote {_write(spec.name, best.setting.workers, found)}")


def _line(*cells: str) -> str:
    return "".join(f"{cell:>10}" for cell in cells)


def _found(setting: Setting) -> dict[str, Any]:
    if setting.batch_size == 1:
        # Without batching a request of several items still runs whole, and as fast.
        return {"intraOpThreads": setting.intra_op_threads, "batching": "off"}
    return {
        "intraOpThreads": setting.intra_op_threads,
        "batching": "on",
        "maxBatchSize": setting.batch_size,
    }


def _write(name: str, workers: int, found: dict[str, Any]) -> Path:
    """Put the setting into the service's file; the file keeps its other content."""
    path = config_path()
    try:
        content = json.loads(path.read_bytes()) if path.exists() else {}
        content["workers"] = workers
        models = content.setdefault("models", {})
        models[name] = {**models.get(name, {}), **found}
        config_from_json(content, str(path))
        replace_file(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as ex:
        why = refusal(ex, f"name another file in ${VARIABLE}")
        raise Failed(f"{path} cannot be written: {why}") from ex
    return path
