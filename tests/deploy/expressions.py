"""The metrics that an expression of PromQL asks, and those that there are."""

from __future__ import annotations

import re

from tools.reference.metrics import metrics

# Those of Prometheus itself, node_exporter and blackbox_exporter.
OTHERS = {
    "up",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "probe_ssl_earliest_cert_expiry",
}
_SELECTOR = re.compile(r"(\b[a-z][a-z0-9_]*)\s*(?:\{([^{}]*)\})?", re.IGNORECASE)
_LABEL = re.compile(r"(\w+)\s*[=!]~?\s*\"((?:[^\"\\]|\\.)*)\"")
# Labels that Prometheus adds, and those of the other exporters.
ADDED = {"instance", "job", "le", "fstype", "mountpoint"}


def series() -> dict[str, set[str]]:
    """Return the names of all series of the service, with their labels."""
    ends = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        metric.name + end: set(metric.labels)
        for metric in metrics()
        for end in ends.get(metric.kind, ("",))
    }


def asked(expression: str) -> dict[str, set[str]]:
    """Return the metrics that an expression names, with the labels that it matches."""
    return {
        name: {label for label, _ in _LABEL.findall(matchers or "")}
        for name, matchers in _SELECTOR.findall(expression)
        if name.startswith(("tfaas_", "node_", "probe_")) or name == "up"
    }


def check(expression: str) -> None:
    """Check that an expression asks metrics and labels that there are."""
    known = series()
    found = asked(expression)
    assert found, expression
    for name, labels in found.items():
        if name not in OTHERS:
            assert name in known, name
            assert labels <= known[name] | ADDED, (name, labels)
