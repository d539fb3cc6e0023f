"""Prometheus metrics, the answer of GET /metrics.

Where $PROMETHEUS_MULTIPROC_DIR names a folder (``runtime.telemetry.counters``), each of
several processes writes there, and any of them answers for all.

A label must have few values. A model's name becomes one only if the store has it, and a
reason is a word of a fixed list. There are ever more versions, and the counts of each
stay in memory, 1 kB for each bucket. So only requests and their seconds tell versions
apart, because versions are compared there; the stages, batches and loads do not (112 kB
a version).
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.multiprocess import MultiProcessCollector

from runtime.telemetry import counters
from runtime.telemetry.tally import Tally

# Prometheus' own buckets begin at 5 ms, and a small model answers in a tenth of that.
SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# The stages of a small model are tens of microseconds.
STAGE_SECONDS = (0.00005, 0.0001, 0.00025, *SECONDS)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)

if folder := os.environ.get(counters.VARIABLE):
    # prometheus_client opens files there as soon as a metric is made.
    Path(folder).mkdir(parents=True, exist_ok=True)

# This comes before all other metrics, so that the others are added up when they are
# collected.
TALLY = Tally(REGISTRY)

REQUESTS = Counter(
    "tfaas_requests",
    "Requests answered.",
    ("method", "route", "status", "model", "version"),
)
REQUEST_SECONDS = Histogram(
    "tfaas_request_seconds",
    "Seconds from a request's head to its reply.",
    ("route", "model", "version"),
    buckets=SECONDS,
)
IN_PROGRESS = Gauge(
    "tfaas_requests_in_progress",
    "Requests that are being answered.",
    multiprocess_mode="livesum",
)
STAGE = Histogram(
    "tfaas_stage_seconds",
    "Seconds of a prediction's stages: queue (waiting for the model), decode, infer,"
    " encode.",
    ("stage", "model"),
    buckets=STAGE_SECONDS,
)
BATCH_SIZE = Histogram(
    "tfaas_batch_size",
    "Items in one run of a model.",
    ("model",),
    buckets=BATCH_SIZES,
)
PREDICTIONS = Counter(
    "tfaas_predictions",
    "Requests that a model answered, by the engine that did.",
    ("model", "version", "backend", "device"),
)
# reason: Opened.fallback_code at load, and "request" for a request that ONNX Runtime
# failed on.
FALLBACKS = Counter(
    "tfaas_fallbacks",
    "Models opened, and single requests answered, by TensorFlow in place of ONNX"
    " Runtime; with the reason 'variant', models opened as model.onnx and not as the"
    " variant.",
    ("model", "version", "reason"),
)
LOADS = Counter(
    "tfaas_model_loads",
    "Model versions loaded into memory; result is ok or failed.",
    ("model", "version", "result"),
)
LOAD_SECONDS = Histogram(
    "tfaas_model_load_seconds",
    "Seconds that opening, warming and trying one version took.",
    ("model",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
LOADED = Gauge(
    "tfaas_models_loaded",
    "Model versions in memory, in all processes.",
    multiprocess_mode="livesum",
)
LOADED_BYTES = Gauge(
    "tfaas_models_loaded_bytes",
    "Bytes of the files of the model versions in memory, in all processes.",
    multiprocess_mode="livesum",
)
# reason: the error's class in snake case: invalid_input, model_not_found, too_large …
REJECTS = Counter(
    "tfaas_rejects",
    "Requests that were refused or failed, by the reason.",
    ("route", "reason"),
)
SHADOW = Counter(
    "tfaas_shadow",
    "Requests that the shadow version ran too; agreed: yes, no, failed or dropped.",
    ("model", "version", "shadow_version", "agreed"),
)
LIVE_PARITY = Counter(
    "tfaas_live_parity",
    "Requests that TensorFlow answered too, and that were compared; agreed: yes, no,"
    " failed or dropped.",
    ("model", "version", "agreed"),
)
LIVE_PARITY_DIFFERENCE = Gauge(
    "tfaas_live_parity_difference",
    "The largest difference between an answer of ONNX Runtime and TensorFlow's.",
    ("model", "version"),
    multiprocess_mode="max",
)
DRIFT = Gauge(
    "tfaas_drift_psi",
    "The distance of the last inputs and answers from the test set, as population"
    " stability index; NaN while they are too few.",
    ("model", "version", "figure"),
    multiprocess_mode="livemostrecent",
)
DRIFT_ITEMS = Gauge(
    "tfaas_drift_items",
    "Inputs of the window that were counted for tfaas_drift_psi.",
    ("model", "version"),
    multiprocess_mode="livemostrecent",
)
# outcome: a word of runtime.conversion.converter.Outcome.
CONVERSIONS = Counter(
    "tfaas_conversions",
    "Uploads converted to ONNX in the background, by the outcome.",
    ("model", "outcome"),
)
STORE_AGE = Gauge(
    "tfaas_object_store_age_seconds",
    "Seconds since the object store was read; 0 where the store is a folder.",
    (),
    multiprocess_mode="livemostrecent",
)
STORE_BEHIND = Gauge(
    "tfaas_object_store_behind",
    "Models whose newest version or label could not be brought to this machine.",
    (),
    multiprocess_mode="livemostrecent",
)
TENSORFLOW_RESTARTS = Counter(
    "tfaas_tensorflow_restarts",
    "Processes of TensorFlow that died and were replaced.",
)
WORKERS_REPLACED = Counter(
    "tfaas_workers_replaced",
    "Worker processes of runtime serve that ended or hung, and were replaced.",
)
FEEDBACK = Counter(
    "tfaas_feedback",
    "Pictures and rows that were sent with their right label, and kept.",
    ("model",),
)
CONFIG_RELOADS = Counter(
    "tfaas_config_reloads",
    "Readings of config.json after SIGHUP; result is ok or refused.",
    ("result",),
)
CONFIG_READ = Gauge(
    "tfaas_config_last_reload_success_timestamp_seconds",
    "The time at which the settings that hold were read, in unix seconds.",
    multiprocess_mode="livemax",
)
CONFIG_OK = Gauge(
    "tfaas_config_last_reload_successful",
    "1 if the last reading of config.json succeeded, and 0 if it was refused.",
    multiprocess_mode="livemin",
)
BUILD_INFO = Gauge(
    "tfaas_build_info",
    "The versions of the serving software, as labels; its value is 1.",
    ("version", "python", "onnxruntime", "providers"),
    multiprocess_mode="livemax",
)


def current_registry() -> CollectorRegistry:
    """Return the metrics of this process, or of all processes that share the folder.

    python_* and process_* belong to one process, so only a lone process has them.
    """
    if not os.environ.get(counters.VARIABLE):
        return REGISTRY
    TALLY.add_up()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def requests_answered(method: str) -> int:
    """Count the requests of this method that all processes have answered."""
    return int(
        sum(
            sample.value
            for metric in current_registry().collect()
            if metric.name == "tfaas_requests"
            for sample in metric.samples
            if sample.name == "tfaas_requests_total"
            and sample.labels["method"] == method
        )
    )
