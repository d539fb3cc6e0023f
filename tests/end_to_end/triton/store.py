"""The models that Triton's clients ask."""

from __future__ import annotations

from pathlib import Path

from tests.examples import write_bundle
from tests.runtime.graphs import texts_and_flags, two_inputs


def write_models(models: Path) -> None:
    """Write two versions of one model of pictures, and two models of other inputs."""
    for number in ("1", "2"):
        write_bundle(models / "linear" / number)
    for name, content in (("pair", two_inputs()), ("texts", texts_and_flags())):
        write_bundle(
            models / name / "1",
            name=name,
            onnx_bytes=content,
            labels=(),
            params={"img_channels": 0, "labels": ""},
        )
