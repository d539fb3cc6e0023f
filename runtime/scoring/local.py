"""A model in this process, as the service has it: the same way to the same engine."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.errors import ImageError, ShapeError
from bundle.folder import open_bundle
from bundle.objects.opening import open_store
from bundle.preprocess import MAX_FREE_PIXELS
from bundle.spec import ModelSpec
from bundle.terminal import quiet_stderr
from bundle.version import Version, state_of
from runtime.backends.options import BackendOptions
from runtime.config import Config
from runtime.models.model import Model
from runtime.models.opening import open_model
from runtime.prediction.images import one_image, run_images
from runtime.prediction.runs import run_items, run_named
from runtime.programs import check_programs
from runtime.scoring.facts import Facts, digest_of, facts_of
from runtime.scoring.tray import Tray
from runtime.telemetry.journey import Journey


@dataclass(frozen=True)
class LocalModel:
    """A version that a process can open.

    Attributes:
        version: the version.
        options: the options with which it is opened.
    """

    version: Version
    options: BackendOptions

    def open(self) -> LocalEngine:
        """Open it in this process.

        Raises:
            BundleError: its folder is not a bundle.
            BackendError: no engine can open it.
            ProviderError: CUDA was demanded and does not work.
        """
        # TensorFlow's C++ and the log would write between the lines of the command,
        # which tells what happened in one sentence.
        for name in ("bundle", "runtime"):
            logging.getLogger(name).addHandler(logging.NullHandler())
        with quiet_stderr():
            return LocalEngine(open_model(self.version, self.options))

    def facts(self, engine: LocalEngine) -> Facts:
        """Take the facts about the version, once it was opened."""
        return facts_of(engine.model, digest_of(self.version))


def find_version(config: Config, asked: ModelSpec | Path) -> Version:
    """Find the version that scores.

    Args:
        config: the settings, which name the store.
        asked: a model of the store, or a bundle's folder.

    Raises:
        ModelNotFound: the store has no such version.
        StoreError: the object store does not answer.
        BundleError: the folder is no bundle, or has operators that reach the system.
    """
    if isinstance(asked, ModelSpec):
        return open_store(config.model_dir).find(*asked)
    folder = asked.resolve()
    bundle = open_bundle(folder)
    # A store has such a model only if its service was told to trust uploads.
    check_programs(bundle, trusted=config.trust_uploads)
    return Version(bundle.params.name, 0, folder, state_of(folder))


def options_of(config: Config, batch: int) -> BackendOptions:
    """Return the options of a process that scores: one thread, and no joint runs.

    Args:
        config: the service's settings, which choose the engine.
        batch: the most items in one run.
    """
    return BackendOptions(
        onnx=config.onnx,
        provider=config.provider,
        variant=config.variant,
        max_batch_size=batch,
    )


class LocalEngine:
    """A model that was opened; see ``runtime.scoring.scorer.Engine``."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def files(self, tray: Tray, places: Sequence[int], files: Sequence[bytes]) -> None:
        """See ``Engine``."""
        journey = Journey()

        def decoded(number: int) -> NDArray[Any]:
            return one_image(self.model, files[number], journey)

        self._images(tray, places, decoded)

    def pixels(
        self, tray: Tray, places: Sequence[int], images: Sequence[NDArray[np.uint8]]
    ) -> None:
        """See ``Engine``."""
        self._images(tray, places, lambda number: self.model.to_batch(images[number]))

    def inputs(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """See ``Engine``."""
        if len(inputs) > 1:
            return run_named(self.model, inputs, Journey())
        (items,) = inputs.values()
        return run_items(self.model, items, Journey())

    def _images(self, tray: Tray, places: Sequence[int], decoded: Any) -> None:
        """Bring pictures to the model's input, and run neighbours of one shape."""
        waiting: list[NDArray[Any]] = []
        theirs: list[int] = []
        for number, place in enumerate(places):
            try:
                image = decoded(number)  # (1, H, W, C)
            except (ImageError, ShapeError) as ex:
                tray.reject({place: str(ex)})
                continue
            pixels = image.shape[1] * image.shape[2]
            if waiting and (
                image.shape != waiting[0].shape
                or pixels * (len(waiting) + 1) > MAX_FREE_PIXELS
            ):
                self._run(tray, theirs, waiting)
                waiting, theirs = [], []
            waiting.append(image)
            theirs.append(place)
        self._run(tray, theirs, waiting)

    def _run(self, tray: Tray, places: list[int], images: list[NDArray[Any]]) -> None:
        def answer(numbers: Sequence[int]) -> NDArray[Any]:
            some = [images[number] for number in numbers]
            return run_images(self.model, np.concatenate(some), Journey())

        tray.ask(places, answer)
