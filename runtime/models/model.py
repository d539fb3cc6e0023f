"""A model in memory: one version of a bundle, and the engine that answers for it."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

from bundle.folder import Bundle
from bundle.preprocess import Preprocessing
from runtime.backends import Backend, engine_of
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import MAX_NUMBERS
from runtime.errors import BackendError
from runtime.lane import QUICK_SECONDS, current_fiber, elsewhere
from runtime.models import fitness, warming
from runtime.models.batch_policy import seconds_of_one
from runtime.models.engine_files import bytes_of
from runtime.models.fallback import Fallback
from runtime.models.grouping import Grouping, group
from runtime.models.joint_run import Inputs, Outputs, kind_of
from runtime.models.pieces import cut, items_of, joined
from runtime.models.watched import Watched
from runtime.telemetry import metrics
from runtime.telemetry.journey import Deadline


class Model:
    """One version, opened and warmed; several threads may use it at once.

    Args:
        bundle: the bundle from which it was opened.
        version: its number in the store; None while it is on trial.
        opened: the engine, and the reason if it is not the preferred one.
        open_fallback: the function that opens the engine which answers a request on
            which ``opened`` fails; None if there is none.
        name: its name in the store, if params.json has another one.
        max_batch_size: the most items in one run; a larger request is run in pieces.
            With None, a request of any size is one run.
        options: the options that tell whether requests are run together; with None they
            are not.
        max_numbers: the most numbers that the inputs of one run may hold; a run has
            fewer items if they are huge.
        clock: a clock in seconds that never goes back.

    Attributes:
        size_bytes: the bytes of the files that the engine reads, which are mostly
            weights.
        engine: the engine, as ``engine/device``.
        plan: the plan of a usual request, which is run with others of its turn; None if
            requests of this model are not quick, or are run alone.
        output: the output that image predictions answer with.
        img_channels: the channels of the images that it takes: 1 is gray, 3 is colour,
            and 0 means that it takes no images.
        preprocess: the steps that bring a decoded image to an item of its input; only a
            model that takes images has them.
        over_contrast: whether transparent pixels of an image may lie over white; see
            ``bundle.decode``.
        max_batch_size: the most items in one run; None if a request of any size is one
            run.
        batching: whether requests are run together, and why.
        warm_up: the reason why the model was not warmed; empty if it was.
        seconds: the time of one item, measured when it was loaded; infinite if that
            could not be measured.
        watched: the counts about its answers; None if nothing is counted.
        answers_labels: whether it is a frozen graph. TFaaS answers those with the best
            labels of an image, and not with all scores. Classes beyond labels.txt have
            no label there.

    Raises:
        BundleError: params.json, labels or sample do not fit the model.
    """

    def __init__(
        self,
        bundle: Bundle,
        version: int | None,
        opened: Opened,
        open_fallback: Callable[[], Backend] | None,
        *,
        name: str | None = None,
        max_batch_size: int | None = None,
        options: BackendOptions | None = None,
        max_numbers: int = MAX_NUMBERS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.bundle = bundle
        self.name = name or bundle.params.name
        self.version = version
        self.backend = opened.backend
        self.engine = engine_of(opened.backend)
        self.fallback_reason = opened.fallback_reason
        self.fallback_code = opened.fallback_code
        self.is_proved = opened.is_proved
        self.variant = opened.variant
        self.variant_reason = opened.variant_reason
        self.size_bytes = bytes_of(bundle, self.backend, opened.variant)
        self._fallback = Fallback(open_fallback, clock)
        self._max_numbers = max_numbers
        self._batch_sizes: tuple[Histogram] | None = None
        self.warm_up = ""
        self.watched: Watched | None = None
        self.output = fitness.check(bundle, self.backend)
        self.answers_labels = bundle.frozen_graph is not None
        # Dark ink on a transparent ground must be seen where either polarity is taken.
        self.over_contrast = bundle.params.preprocess.polarity is not None
        self.img_channels = fitness.img_channels(
            bundle, self.backend.inputs, self.output
        )
        if self.img_channels:
            (spec,) = self.backend.inputs
            _, height, width, channels = spec.shape
            self.preprocess = Preprocessing(
                bundle.params.preprocess, (height, width, channels), spec.dtype
            )
            warming.check_answers_images(self)
        sample = bundle.read_sample()
        warm = None
        if max_batch_size or options:
            warm, self.warm_up = warming.run_one_item(self, sample, clock)
        self.max_batch_size = (
            warming.run_full_batch(self, warm, max_batch_size, max_numbers)
            if max_batch_size
            else None
        )
        grouping = Grouping()
        self.seconds = math.inf
        if options:
            make = warm.make if warm else None
            self.seconds = seconds_of_one(self.backend, make, clock)
            grouping = group(self, options, make, clock, max_numbers)
        self.batching, self._batcher, self._turn, self.plan = grouping
        self.tried = warming.try_on_sample(self, sample)
        # The runs before this line were no requests, and are not counted.
        if version is not None:
            self._batch_sizes = (metrics.BATCH_SIZE.labels(self.name),)

    @property
    def is_counted(self) -> bool:
        """Whether its runs are counted: not those of its load, and none on trial."""
        return self._batch_sizes is not None

    @property
    def has_free_size(self) -> bool:
        """Whether an image keeps its own size."""
        return None in self.backend.inputs[0].shape[1:3]

    def is_quick(self, items: int) -> bool:
        """Tell whether so many items are answered at once (``runtime.lane``).

        A request that waits to be run with others is not, and neither is one that waits
        for TensorFlow's process, which may hang.
        """
        if self._batcher or self.backend.name == "tensorflow":
            return False
        return items * self.seconds < QUICK_SECONDS

    def to_batch(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """Bring one decoded image to ``(1, H', W', C)`` of the input's dtype.

        Call it only for a model that takes images (``img_channels``).

        Args:
            image: ``(H, W, C)`` uint8.

        Raises:
            ShapeError: the model does not take such an image.
        """
        return self.preprocess(image)[np.newaxis]

    def run(
        self, inputs: Inputs, deadline: Deadline | None = None
    ) -> tuple[Outputs, Backend]:
        """Run a request's items.

        More than ``max_batch_size`` items are run in pieces, one after the other.

        Args:
            inputs: an array ``(N, …)`` of each input's dtype, by name.
            deadline: the deadline that is checked before each piece.

        Returns:
            An array ``(N, …)`` of each output's dtype, by name, in the order of the
            items; and the engine that gave all of them.

        Raises:
            ShapeError: the inputs do not fit the model.
            Expired: the deadline came first.
            BackendError: the engine failed, and so did the one to fall back to.
            InputRefused: the model can run, but not on these inputs.
        """
        items = items_of(inputs)
        pieces = [inputs]
        if items is not None and items > 1 and self.max_batch_size is not None:
            most = self.max_batch_size
            pieces = cut(inputs, items, self.backend.inputs, most, self._max_numbers)
        backend = self.backend  # another may take its place meanwhile
        try:
            if len(pieces) == 1:
                return self._run_piece(backend, inputs, items, deadline), backend
            answers = [
                self._run_piece(backend, piece, items_of(piece), deadline)
                for piece in pieces
            ]
            return joined(answers), backend
        except BackendError as ex:
            return self.fall_back(ex, pieces, deadline)

    def fall_back(
        self,
        ex: BackendError,
        pieces: list[Inputs],
        deadline: Deadline | None,
    ) -> tuple[Outputs, Backend]:
        """Run a request on which the preferred engine failed on the other one.

        Args:
            ex: the error of the preferred engine.
            pieces: the request's inputs, in the pieces that are run.
            deadline: see ``run``.

        Returns:
            See ``run``.

        Raises:
            BackendError: ``ex``, if there is no other engine or it fails as well.
        """
        fall_back = functools.partial(self._fallback.run, self, ex, pieces, deadline)
        return elsewhere(fall_back, self.name)

    def give_way(self, reason: str) -> None:
        """Let TensorFlow answer all later requests.

        Requests that wait for ONNX Runtime still get its answers.

        Args:
            reason: the reason, a sentence's end.

        Raises:
            BackendError: there is no TensorFlow model, or it cannot be opened.
        """
        fallback = self._fallback.open(self)
        if fallback is None:
            raise BackendError("there is no TensorFlow model that may take its place")
        # TensorFlow is not quick, so no request may be run in a turn or a batch now.
        # These go first: a thread that sees the new engine must not see them.
        self.plan, self._turn, self._batcher = None, None, None
        self.batching = "off: TensorFlow took its place"
        self.fallback_reason, self.fallback_code = reason, "live_parity"
        self.is_proved, self.variant = None, None
        self._fallback = Fallback()
        metrics.FALLBACKS.labels(self.name, self.version, "live_parity").inc()
        self.engine = engine_of(fallback)
        self.backend = fallback

    def _run_piece(
        self,
        backend: Backend,
        piece: Inputs,
        items: int | None,
        deadline: Deadline | None,
    ) -> Outputs:
        if items and backend is self.backend:
            batcher, turn = self._batcher, self._turn
            if batcher is not None:
                return batcher.submit(piece, deadline)
            if turn is not None and (fiber := current_fiber()) is not None:
                return turn.submit(fiber, piece, items, kind_of(piece), deadline)
        if deadline is not None:
            deadline.check()
        return self.run_once(piece, backend)

    def run_once(self, inputs: Inputs, backend: Backend | None = None) -> Outputs:
        """Run one batch on an engine; on the preferred one, if no other is given.

        Args:
            inputs: an array ``(N, …)`` of each input's dtype, by name.
            backend: the engine; None takes the preferred one.

        Returns:
            An array ``(N, …)`` of each output's dtype, by name.
        """
        outputs = (backend or self.backend).run(inputs)
        if self._batch_sizes:
            items = 1
            for array in inputs.values():
                if array.ndim and len(array) > items:
                    items = len(array)
            metrics.TALLY.note(self._batch_sizes, (items,))
        return outputs
