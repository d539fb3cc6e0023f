"""Wrong orders of a training on Ray are refused before anything is started."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.examples import assert_refused, blank_images, names_in, run_trainer
from trainer.errors import SettingsError
from trainer.fleet import Fleet
from trainer.images import choose, in_memory, join
from trainer.stored_images import ImageWriter


def test_workers_with_rows_are_fine() -> None:
    Fleet(3).check(blank_images((10, 10, 1), 3), 128)


def test_more_workers_than_rows_of_a_batch_are_refused() -> None:
    data = blank_images((10, 10, 1), 4)
    with pytest.raises(SettingsError, match="5 are more workers than the 4 rows"):
        Fleet(5).check(data, 128)
    with pytest.raises(SettingsError, match="3 are more workers than the 2 rows"):
        Fleet(3).check(data, 2)


def test_images_on_disk_cannot_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    array = np.zeros((4, 10, 10, 1), np.uint8)
    writer = ImageWriter(4, array.shape[1:], array.dtype, on_disk=True)
    writer.add(array)
    stored = writer.finish()
    assert in_memory(join(array, choose(array, slice(2))))
    for images in (stored, choose(stored, slice(2)), join(array, stored)):
        assert not in_memory(images)


def test_options_of_ray_need_the_number_of_workers() -> None:
    assert_refused(
        run_trainer("run", "--ray-cpus-per-worker", 2),
        "--ray-cpus-per-worker",
        "--ray-workers",
    )
    result = run_trainer("run", "--ray-storage", "s3://bucket/states")
    assert_refused(result, "--ray-storage", "--ray-workers")


def test_an_installation_without_ray_says_so(
    tmp_path: Path, few_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "runtime.ray.cluster.find_spec",
        lambda name: None if name == "ray" else find_spec(name),
    )
    result = run_trainer(
        *("run", "--fin", few_npz, "--fout", tmp_path / "m", "--ray-workers", 2)
    )
    assert_refused(result, "--ray-workers needs Ray", "tfaas-onnx[cluster]")
    assert names_in(tmp_path) == []


def test_the_command_refuses_more_workers_than_rows(
    tmp_path: Path, few_npz: Path
) -> None:
    out = ("--fout", tmp_path / "m", "--batch-size", 2)
    result = run_trainer("run", "--fin", few_npz, *out, "--ray-workers", 3)
    assert_refused(result, "3 are more workers than the 2 rows", "--batch-size")
    assert names_in(tmp_path) == []
