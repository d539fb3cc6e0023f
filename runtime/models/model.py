"""A model in memory: one version of a bundle, and the engine that answers for it."""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

from bundle.errors import BundleError
from bundle.folder import Bundle
from bundle.preprocess import Preprocessing
from bundle.variants import Variant, onnx_file
from runtime.backends import Backend, InputRefused, engine_of
from runtime.backends.opening import (
    Opened,
)
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import (
    MAX_NUMBERS,
    check_inputs,
)
from runtime.backends.warming import Make
from runtime.errors import BackendError
from runtime.lane import QUICK_SECONDS, current_fiber, elsewhere
from runtime.models import warming
from runtime.models.batch_policy import decide, largest_batch, seconds_of_one, sizes_of
from runtime.models.batcher import Batcher
from runtime.models.fitness import (
    check_config,
    check_features,
    check_labels,
    check_same_tensors,
    img_channels,
    main_output,
)
from runtime.models.joint_run import kind_of
from runtime.models.plan import Plan
from runtime.models.turn import Turn
from runtime.telemetry import metrics
from runtime.telemetry.journey import Deadline

logger = logging.getLogger(__name__)


# A model that failed to open is tried again after so many seconds: perhaps the memory
# or the disk was full. Until then each request gets the error at once. Otherwise one
# broken model would hold all requests.
RETRY_SECONDS = 30.0


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
        over_contrast: whether transparent pixels of an image may lie over white; see
            ``bundle.decode``.
        batching: whether requests are run together, and why.
        warm_up: the reason why the model was not warmed; empty if it was.
        seconds: the time of one item, measured when it was loaded; infinite if that
            could not be measured.
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
        self.size_bytes = _size_bytes(bundle, self.backend, opened.variant)
        self._open_fallback = open_fallback
        self._fallback: Backend | None = None
        self._fallback_failed = float("-inf")
        self._max_numbers = max_numbers
        self._clock = clock
        self._lock = threading.Lock()
        self._batch_sizes: tuple[Histogram] | None = None
        self.warm_up = ""
        self.output = main_output(bundle, self.backend.outputs)
        self.answers_labels = bundle.frozen_graph is not None
        check_labels(bundle, self.output, may_lack=self.answers_labels)
        check_features(bundle.params.features, self.backend.inputs)
        if bundle.config:
            check_config(bundle.config, self.backend.inputs, self.backend.outputs)
        # Dark ink on a transparent ground must be seen where either polarity is taken.
        self.over_contrast = bundle.params.preprocess.polarity is not None
        self.img_channels = img_channels(bundle, self.backend.inputs, self.output)
        if self.img_channels:
            (spec,) = self.backend.inputs
            _, height, width, channels = spec.shape
            self._preprocess = Preprocessing(
                bundle.params.preprocess, (height, width, channels), spec.dtype
            )
            warming.check_answers_images(self)
        sample = bundle.read_sample()
        warm = None
        if max_batch_size or options:
            warm, self.warm_up = warming.run_one_item(self, sample, clock)
        self._max_batch_size = (
            warming.run_full_batch(self, warm, max_batch_size, max_numbers)
            if max_batch_size
            else None
        )
        self.batching, self._batcher, self._turn = "", None, None
        self.seconds = math.inf
        if options:
            make = warm.make if warm else None
            self.seconds = seconds_of_one(self.backend, make, clock)
            self.batching, self._batcher, self._turn = self._batch(options, make)
        self.plan = self._plan(self._turn)
        self.tried = warming.try_on_sample(self, sample)
        # The runs before this line were no requests, and are not counted.
        if version is not None:
            self._batch_sizes = (metrics.BATCH_SIZE.labels(self.name),)

    @property
    def max_batch_size(self) -> int | None:
        """The most items in one run; None if a request of any size is one run."""
        return self._max_batch_size

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
        return self._preprocess(image)[np.newaxis]

    def explain(
        self, image: NDArray[np.uint8]
    ) -> tuple[dict[str, NDArray[np.uint8]], NDArray[Any]]:
        """Do the same as ``to_batch``, and keep the picture after each step.

        Returns:
            The pictures, ``(H, W, C)`` uint8, by the names of the steps; and the item,
            ``(H', W', C)`` of the input's dtype.

        Raises:
            ShapeError: the model does not take such an image.
        """
        return self._preprocess.explain(image)

    def to_input(self, image: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Bring one decoded image to one run's input; see ``to_batch``.

        Args:
            image: ``(H, W, C)`` uint8.

        Returns:
            An array ``(N, H', W', C)`` of the input's dtype, by the input's name. It
            has the image N times, where N is the model's fixed batch, or 1.
        """
        batch = self.to_batch(image)
        spec = self.backend.inputs[0]
        size = spec.shape[0]
        return {spec.name: np.repeat(batch, size, axis=0) if size else batch}

    def run(
        self, inputs: Mapping[str, NDArray[Any]], deadline: Deadline | None = None
    ) -> tuple[dict[str, NDArray[Any]], Backend]:
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
        items = _items_of(inputs)
        pieces = [inputs]
        if items is not None and items > 1:
            pieces = self._pieces(inputs, items)
        try:
            if len(pieces) == 1:
                return self._run_piece(
                    self.backend, inputs, items, deadline
                ), self.backend
            return self._run_on(self.backend, pieces, deadline), self.backend
        except BackendError as ex:
            return self.fall_back(ex, pieces, deadline)

    def fall_back(
        self,
        ex: BackendError,
        pieces: list[Mapping[str, NDArray[Any]]],
        deadline: Deadline | None,
    ) -> tuple[dict[str, NDArray[Any]], Backend]:
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
        fall_back = functools.partial(self._fall_back, ex, pieces, deadline)
        return elsewhere(fall_back, self.name)

    def _fall_back(
        self,
        ex: BackendError,
        pieces: list[Mapping[str, NDArray[Any]]],
        deadline: Deadline | None,
    ) -> tuple[dict[str, NDArray[Any]], Backend]:
        fallback = self._get_fallback()
        if fallback is None:
            raise ex
        logger.warning(
            "%s: %s; TensorFlow answers this request", self.name, ex, exc_info=ex
        )
        try:
            outputs = self._run_on(fallback, pieces, deadline)
        except InputRefused:
            raise  # TensorFlow is asked last, and says whose fault it is
        except BackendError as second:
            raise BackendError(f"{ex}; {second}") from second
        if self._batch_sizes:
            metrics.FALLBACKS.labels(self.name, self.version, "request").inc()
        return outputs, fallback

    def _run_on(
        self,
        backend: Backend,
        pieces: list[Mapping[str, NDArray[Any]]],
        deadline: Deadline | None,
    ) -> dict[str, NDArray[Any]]:
        answers = [
            self._run_piece(backend, piece, _items_of(piece), deadline)
            for piece in pieces
        ]
        if len(answers) == 1:
            return answers[0]
        return {
            name: np.concatenate([answer[name] for answer in answers])
            for name in answers[0]
        }

    def _run_piece(
        self,
        backend: Backend,
        piece: Mapping[str, NDArray[Any]],
        items: int | None,
        deadline: Deadline | None,
    ) -> dict[str, NDArray[Any]]:
        if items and backend is self.backend:
            if self._batcher is not None:
                return self._batcher.submit(piece, deadline)
            if self._turn is not None and (fiber := current_fiber()) is not None:
                return self._turn.submit(fiber, piece, items, kind_of(piece), deadline)
        if deadline is not None:
            deadline.check()
        return self.run_once(piece, backend)

    def run_once(
        self, inputs: Mapping[str, NDArray[Any]], backend: Backend | None = None
    ) -> dict[str, NDArray[Any]]:
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

    def _batch(
        self, options: BackendOptions, make: Make | None
    ) -> tuple[str, Batcher | None, Turn | None]:
        """Decide whether requests are run together; see ``batch_policy``."""
        verdict = decide(
            options.batching,
            self.backend,
            self._max_batch_size,
            options.threads,
            self.seconds,
            make,
            self._clock,
            self._max_numbers,
        )
        # Each gets a weak reference. A model that refers to itself would be freed only
        # by Python's slow search for cycles, and its memory or its process with it. A
        # request that waits for a run keeps the model alive.
        run = functools.partial(_run_of, weakref.ref(self))
        if self._max_batch_size is None:
            return verdict.why, None, None
        if not verdict.is_on:
            turn = Turn(run, self._max_batch_size, self.seconds)
            return verdict.why, None, turn if verdict.gains else None
        sizes = sizes_of(self.backend, self._max_batch_size)
        if make is not None:
            most = largest_batch(make, self._max_numbers)
            for size in sizes or ():
                if size <= most:
                    self.backend.run(make(size))
        batcher = Batcher(
            run,
            self._max_batch_size,
            options.max_queue,
            options.max_queue_delay_us,
            sizes,
        )
        return verdict.why, batcher, None

    def _plan(self, turn: Turn | None) -> Plan | None:
        """Make the plan, if there is one input whose items have one shape."""
        if turn is None or len(self.backend.inputs) != 1:
            return None
        (spec,) = self.backend.inputs
        sides = tuple(side for side in spec.shape[1:] if side is not None)
        # The first axis alone is free: it counts the items.
        if spec.shape != (None, *sides):
            return None
        item = np.empty((1, *sides), spec.dtype)
        most = self._max_numbers // max(1, item.size)
        return Plan(
            turn,
            min(self._max_batch_size or 1, most, int(QUICK_SECONDS / self.seconds)),
            spec.name,
            sides,
            spec.dtype,
            kind_of({spec.name: item}),
            self.output.name,
        )

    def _pieces(
        self, inputs: Mapping[str, NDArray[Any]], items: int
    ) -> list[Mapping[str, NDArray[Any]]]:
        """Cut a request into runs of ``max_batch_size``, or of fewer huge items."""
        if self._max_batch_size is None:
            return [inputs]
        numbers = max(array.size for array in inputs.values()) // items
        size = min(self._max_batch_size, max(1, self._max_numbers // max(1, numbers)))
        if items <= size:
            return [inputs]
        # The whole is checked: an error about a piece would tell a shape nobody sent.
        check_inputs(self.backend.inputs, inputs)
        return [
            {name: array[start : start + size] for name, array in inputs.items()}
            for start in range(0, items, size)
        ]

    def _get_fallback(self) -> Backend | None:
        """Return the fallback; it is opened when it is first needed.

        One that cannot be opened is tried again after a while.
        """
        with self._lock:
            if self._fallback is not None or self._open_fallback is None:
                return self._fallback
            if self._clock() - self._fallback_failed < RETRY_SECONDS:
                return None
            try:
                fallback = self._open_fallback()
                check_same_tensors(self.backend, fallback)
                self._fallback = fallback
            except BackendError as ex:
                logger.warning("%s: no fallback: %s", self.name, ex)
                self._fallback_failed = self._clock()
            return self._fallback


def _items_of(inputs: Mapping[str, NDArray[Any]]) -> int | None:
    """Count a request's items; None if its arrays disagree, or there are none."""
    items = None
    for array in inputs.values():
        if not array.ndim or items not in (None, len(array)):
            return None
        items = len(array)
    return items or None


def _run_of(
    held: weakref.ref[Model], inputs: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    model = held()
    assert model is not None, "the caller keeps the model alive"
    return model.run_once(inputs)


def _size_bytes(bundle: Bundle, backend: Backend, variant: Variant | None) -> int:
    if backend.name == "tensorflow" and bundle.tensorflow_model:
        patterns = [bundle.tensorflow_model.name, "variables/**/*"]
    elif variant not in (None, "fp32"):
        patterns = [f"{onnx_file(variant)}*"]
    else:
        # ONNX's external data may have any name; these are the names that common
        # exporters give it.
        patterns = [f"{onnx_file('fp32')}*", "*.data", "*.bin"]
    try:
        found = {path for pattern in patterns for path in bundle.path.glob(pattern)}
        return sum(path.stat().st_size for path in found if path.is_file())
    except OSError as ex:
        raise BundleError(f"the bundle cannot be read: {ex.strerror}") from ex
