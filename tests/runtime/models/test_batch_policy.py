"""The policy decides whether a model's requests run together; a clock is the engine."""

import math

import numpy as np
import pytest

from bundle.folder import open_bundle
from runtime.backends.opening import Opened
from runtime.backends.options import BackendOptions
from runtime.models.batch_policy import decide, seconds_of_one, sizes_of
from runtime.models.model import Model
from tests.examples import write_bundle
from tests.runtime.fakes import FakeBackend


class Timed(FakeBackend):
    """A backend of its own clock: ``call`` seconds for a run, ``item`` for an item."""

    def __init__(self, call, item, device="CPUExecutionProvider"):
        super().__init__()
        self.device = device
        self._call, self._item = call, item
        self.now = 0.0
        self.runs = 0

    def run(self, inputs):
        self.runs += 1
        (array,) = inputs.values()
        self.now += self._call + self._item * len(array)
        return super().run(inputs)

    def clock(self):
        return self.now


def pictures(items):
    return {"pixels": np.zeros((items, 2, 2, 1), np.float32)}


def verdict(backend, wanted="auto", max_batch_size=32, threads=8, one=None, **options):
    if one is None:
        one = seconds_of_one(backend, pictures, backend.clock)
    return decide(
        wanted,
        backend,
        max_batch_size,
        threads,
        one,
        pictures,
        backend.clock,
        **options,
    )


def test_a_small_network_on_a_cpu_is_run_as_it_is_asked():
    """The times are those of MNIST on one core."""
    found = verdict(Timed(call=20e-6, item=35e-6))
    assert not found.is_on
    assert found.why == "by turns: an item takes 0.055 ms alone, 0.0375 ms of 8"
    assert found.gains


def test_a_network_that_gains_nothing_is_run_alone():
    found = verdict(Timed(call=0.0, item=55e-6))
    assert not (found.is_on or found.gains)
    assert found.why.startswith("off: an item takes 0.055 ms alone, 0.055 ms of 8")


def test_what_takes_long_is_no_run_of_the_networks_thread():
    found = verdict(Timed(call=0.1e-3, item=1e-3))
    assert not (found.is_on or found.gains)


def test_a_costly_call_is_shared():
    """The times are those of TensorFlow."""
    found = verdict(Timed(call=500e-6, item=60e-6))
    assert found.is_on
    assert found.why == "on: an item takes 0.56 ms alone, 0.122 ms of 8"


class Busy(Timed):
    """A backend beside others, so that three of four runs wait."""

    def run(self, inputs):
        self.now += 400e-6 * (self.runs % 4 > 0)
        return super().run(inputs)


def test_huge_items_are_not_tried_together():
    """Eight such pictures of 2500 x 2500 in colour would be too large for a trial."""
    found = verdict(Timed(call=500e-6, item=60e-6), max_numbers=11)  # an item has 4
    assert found.why == "on: an item takes 0.56 ms alone, 0.31 ms of 2"
    found = verdict(Timed(call=500e-6, item=60e-6), max_numbers=7)
    assert found.why == "off: one item is as large as a batch may be"


def test_runs_that_wait_for_others_do_not_count():
    """A new version is measured while the version before it answers."""
    backend = Busy(call=20e-6, item=35e-6)
    assert seconds_of_one(backend, pictures, backend.clock) == pytest.approx(55e-6)


def test_what_takes_as_long_together_is_not():
    assert not verdict(Timed(call=1e-3, item=10e-3)).is_on


def test_a_gpu_is_not_asked():
    backend = Timed(1.0, 1.0, device="CUDAExecutionProvider")
    assert verdict(backend, one=1.0).is_on
    assert backend.runs == 0


@pytest.mark.parametrize(
    ("given", "is_on", "why"),
    [
        ({"wanted": "on"}, True, "on: config.json says so"),
        ({"wanted": "off"}, False, "off: config.json says so"),
        ({"threads": 1}, False, "off: one thread asks"),
        ({"max_batch_size": None, "wanted": "on"}, False, "takes no batches"),
        ({"max_batch_size": 1, "wanted": "on"}, False, "takes no batches"),
    ],
)
def test_what_is_known_is_not_measured(given, is_on, why):
    backend = Timed(1.0, 0.0)
    found = verdict(backend, one=1.0, **given)
    assert found.is_on is is_on
    assert why in found.why
    assert backend.runs == 0


def test_a_slow_model_is_not_tried_for_long():
    backend = Timed(call=10.0, item=1.0)
    verdict(backend)
    assert backend.runs == 2


def test_a_gpu_has_sizes_and_a_cpu_takes_what_comes():
    cuda = Timed(0, 0, device="CUDAExecutionProvider")
    assert sizes_of(cuda, 32) == (1, 2, 4, 8, 16, 32)
    assert sizes_of(cuda, 20) == (1, 2, 4, 8, 16, 20)
    assert sizes_of(cuda, 1) == (1,)
    assert sizes_of(Timed(0, 0), 32) is None


def test_a_model_that_takes_nothing_of_what_is_tried_is_of_unknown_speed():
    backend = Timed(1.0, 0.0)
    assert seconds_of_one(backend, None) == math.inf
    found = decide("auto", backend, 32, 8, math.inf, None)
    assert not found.is_on
    assert found.why == "off: the model was not warmed, and so not timed"
    assert backend.runs == 0


def test_a_model_knows_how_many_items_are_quick(tmp_path):
    """An item of a millisecond is quick; a shared batch waits for other items."""
    bundle = open_bundle(write_bundle(tmp_path / "linear"))

    def model(options, backend=None):
        opened = Opened(backend or FakeBackend())
        return Model(bundle, 1, opened, None, max_batch_size=4, options=options)

    quick = model(BackendOptions())
    quick.seconds = 300e-6
    assert [quick.is_quick(items) for items in (1, 3, 4)] == [True, True, False]
    assert not model(BackendOptions(batching="on")).is_quick(1)


def test_one_model_may_have_settings_of_its_own():
    options = BackendOptions(models={"mnist": {"batching": "on", "max_queue": 3}})
    assert (options.of("mnist").batching, options.of("mnist").max_queue) == ("on", 3)
    assert options.of("other") == options
