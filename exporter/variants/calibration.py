"""Choose the items to calibrate int8 on, and the items to try a variant on.

They are not the same items if there are enough: a variant would look too good on the
items from which its ranges were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.decode import decode_image
from bundle.errors import ImageError, ShapeError
from bundle.params import Preprocess
from bundle.preprocess import preprocess
from bundle.sample import RowSample, Sample
from exporter.errors import ExportError
from exporter.proof.draws import ITEMS, Batch, Draw, fits
from runtime.backends import TensorSpec
from runtime.backends.tensors import check_inputs

# The ranges hardly change after some hundred items; 256 colour pictures of 224 x 224
# take 150 MB.
MAX_ITEMS = 256
# Fewer items than this are not divided: all of them serve both purposes.
MIN_PARTED = 30
# One item in so many is for calibration, and the others are for the trial.
PARTS = 3
_RANDOM = "random"


@dataclass(frozen=True)
class Items:
    """Real inputs of a model.

    Attributes:
        inputs: arrays ``(N, …)`` by name, in the dtypes that the model takes.
        labels: the right classes, ``(N,)`` int64; None if they are not known.
        what: a description for people.
    """

    inputs: Batch
    labels: NDArray[np.int64] | None
    what: str

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def part(self) -> tuple[Items, Items]:
        """Items to calibrate on, and items for the trial; few items serve both.

        If the labels are known, every class is in both.
        """
        if len(self) < MIN_PARTED:
            return self, self
        order = np.arange(len(self))
        if self.labels is not None:
            order = np.argsort(self.labels, kind="stable")
        is_first = np.arange(len(self)) % PARTS == 0
        return self._take(order[is_first]), self._take(order[~is_first])

    def batches(self, size: int) -> list[Batch]:
        """Whole batches, with every item in them at least once.

        Args:
            size: N, the number of items in each.

        Returns:
            Arrays ``(size, …)`` by name, in the dtypes of ``inputs``.
        """
        rows = np.arange(-(-len(self) // size) * size) % len(self)
        return [self._take(chunk).inputs for chunk in rows.reshape(-1, size)]

    def _take(self, rows: NDArray[np.intp]) -> Items:
        return Items(
            {name: array[rows] for name, array in self.inputs.items()},
            None if self.labels is None else self.labels[rows],
            f"{len(rows)} of {self.what}",
        )


def batch_size(specs: tuple[TensorSpec, ...], wanted: int) -> int:
    """The wanted batch size, or the fixed one of the model."""
    fixed = [spec.shape[0] for spec in specs if spec.shape and spec.shape[0]]
    return min(fixed, default=wanted)


def drawn_items(specs: tuple[TensorSpec, ...], kinds: Sequence[Draw]) -> Items:
    """Random inputs, for a model without real ones.

    Args:
        specs: the model's inputs.
        kinds: the kinds of inputs that it accepts; see ``exporter.proof.settling``.

    Raises:
        ExportError: an input has no batch axis.
    """
    if not all(spec.shape for spec in specs):
        raise ExportError("one of its inputs has no batch axis, so it cannot be tried")
    (random,) = [kind for kind in kinds if kind.name == _RANDOM]
    batches = list(random.batches(batch_size(specs, ITEMS)))
    inputs = {
        spec.name: np.concatenate([batch[spec.name] for batch in batches])
        for spec in specs
    }
    return Items(inputs, None, "random inputs")


def sample_items(
    specs: tuple[TensorSpec, ...],
    how: Preprocess,
    sample: Sample | RowSample | None,
) -> Items | None:
    """The bundle's images or rows as the model takes them; None if it has none.

    Raises:
        ShapeError: the images do not fit the model.
    """
    if isinstance(sample, RowSample):
        if not fits(sample, specs):
            return None
        inputs = {spec.name: sample.inputs[spec.name] for spec in specs}
        count = len(next(iter(inputs.values())))
        return Items(inputs, None, f"the {count} of rows.npz")
    if sample is None or not _takes_images(specs):
        return None
    inputs = _from_images(specs[0], how, list(sample.images))
    return Items(inputs, sample.labels, f"the {len(sample.images)} of sample.npz")


def read_items(folder: Path, specs: tuple[TensorSpec, ...], how: Preprocess) -> Items:
    """Read a folder of images or arrays, at most ``MAX_ITEMS``, evenly chosen.

    Images lie in the folder or in subfolders, and go through the service's decoder and
    preprocessing; other files are passed over. Arrays are ``(N, …)``, in ``.npz`` files
    with one array for each input, or in a file ``<input>.npy`` for each.

    Raises:
        ExportError: the folder holds neither, or they do not fit the model.
    """
    try:
        arrays = _read_arrays(folder, specs)
        if arrays is not None:
            return arrays
        if _takes_images(specs):
            return _read_images(folder, specs[0], how)
    except (OSError, ValueError) as ex:
        raise ExportError(f"{folder} cannot be read: {ex}") from ex
    except ShapeError as ex:
        raise ExportError(f"{folder} does not fit the model: {ex}") from ex
    names = ", ".join(spec.name for spec in specs)
    raise ExportError(
        f"{folder} has no .npz or .npy file, and the model takes no images; put"
        f" arrays there, one each of {names}"
    )


def _takes_images(specs: tuple[TensorSpec, ...]) -> bool:
    if len(specs) != 1 or len(specs[0].shape) != 4:
        return False
    return specs[0].shape[3] in (1, 3) and specs[0].dtype.kind in "fiu"


def _read_images(folder: Path, spec: TensorSpec, how: Preprocess) -> Items:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    channels = spec.shape[3]
    assert channels is not None  # _takes_images has looked
    images = []
    for path in _evenly(paths):
        try:
            over_contrast = how.polarity is not None
            images.append(
                decode_image(path.read_bytes(), channels, over_contrast=over_contrast)
            )
        except ImageError:
            continue
    if not images:
        raise ExportError(f"{folder} holds no image that can be read")
    inputs = _from_images(spec, how, images)
    return Items(inputs, None, f"the {len(images)} images of {folder.name}")


def _from_images(
    spec: TensorSpec, how: Preprocess, images: list[NDArray[np.uint8]]
) -> Batch:
    _, height, width, channels = spec.shape
    shape = (height, width, channels)
    items = [preprocess(image, how, shape, spec.dtype) for image in images]
    if len({item.shape for item in items}) > 1:
        raise ShapeError(
            "its images have several sizes, and the model takes any; set"
            " 'preprocess.size' in params.json, or give images of one size"
        )
    return {spec.name: np.stack(items)}


def _read_arrays(folder: Path, specs: tuple[TensorSpec, ...]) -> Items | None:
    paths = sorted([*folder.glob("*.npz"), *folder.glob("*.npy")])
    if not paths:
        return None
    parts: dict[str, list[NDArray[Any]]] = {}
    for path in paths:
        for name, array in _load(path).items():
            parts.setdefault(name, []).append(array)
    dtypes = {spec.name: spec.dtype for spec in specs}
    inputs = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    for name, array in inputs.items():
        # numpy makes float64 of most numbers, so those are cast; but a fraction never
        # becomes an index.
        if name in dtypes and np.can_cast(array.dtype, dtypes[name], "same_kind"):
            inputs[name] = array.astype(dtypes[name])
    free = tuple(TensorSpec(s.name, s.dtype, (None, *s.shape[1:])) for s in specs)
    check_inputs(free, inputs)
    lengths = {name: len(array) for name, array in inputs.items()}
    if len(set(lengths.values())) > 1:
        raise ShapeError(f"its arrays have several lengths: {lengths}")
    rows = _evenly(list(range(len(next(iter(inputs.values()))))))
    inputs = {name: array[rows] for name, array in inputs.items()}
    return Items(inputs, None, f"the {len(rows)} rows of {folder.name}")


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {path.stem: loaded}
        with loaded:
            return dict(loaded)
    # zipfile, its kinds of compression and numpy may raise anything on a damaged file.
    except Exception as ex:
        raise ExportError(f"{path} holds no arrays that can be read") from ex


def _evenly(things: list[Any]) -> list[Any]:
    if len(things) <= MAX_ITEMS:
        return things
    return [things[i] for i in np.linspace(0, len(things) - 1, MAX_ITEMS).astype(int)]
