"""The simulation agrees with formulas, and with what was measured on one machine."""

import math
import re

import numpy as np
import pytest
from obstore.store import MemoryStore
from prometheus_client import generate_latest

from runtime import mirroring
from runtime.config import Config
from runtime.telemetry import metrics
from runtime.telemetry.journey import STAGES
from runtime.telemetry.requests import _metrics_of
from tests.bundle.objects.conftest import Machine
from tests.deploy.manifests import FOLDER, built, one
from tools.capacity import machine, plan, store, work
from tools.capacity.fleet import Fleet, simulate
from tools.capacity.page import PAGE, SUMS, TABLES, renewed
from tools.capacity.tables import COMPARED, figure
from tools.capacity.work import Work

# A request takes a millisecond, so times in ms are times of one service.
ALONE = Work(0.0, 1000.0, most=1)


class Exponential(Work):
    """A request's time is distributed exponentially, as M of M/M/c has it."""

    def factors(self, draws, number):
        return draws.exponential(1.0, number)


MARKOV = Exponential(0.0, 1000.0, most=1)


def test_one_worker_is_mm1():
    """Times are distributed exponentially with the mean 1 / (1 - 0.5)."""
    found = simulate(MARKOV, Fleet(workers=1), 0.5, 60_000)
    assert found.mean_ms == pytest.approx(2.0, rel=0.05)
    assert found.p50_ms == pytest.approx(2 * math.log(2), rel=0.05)
    assert found.p99_ms == pytest.approx(2 * math.log(100), rel=0.08)


def test_one_queue_for_four_workers_is_mmc():
    """Erlang's C for 4 workers and 2.8 in service is 0.4287; the wait is C / 1.2."""
    found = simulate(MARKOV, Fleet(workers=4, balancer="shared"), 0.7, 60_000)
    assert found.mean_ms == pytest.approx(1 + 0.4287 / 1.2, rel=0.04)


def test_times_that_do_not_vary_are_md1():
    """The wait is 0.7 / (2 (1 - 0.7)), by Pollaczek and Khinchine."""
    found = simulate(ALONE, Fleet(workers=1), 0.7, 60_000)
    assert found.mean_ms == pytest.approx(1 + 0.7 / 0.6, rel=0.05)


def test_a_short_queue_refuses_as_mm1k():
    """With 5 places, (1 - 0.8) 0.8^5 / (1 - 0.8^6) of the requests find none."""
    found = simulate(MARKOV, Fleet(workers=1, max_queue=4), 0.8, 60_000)
    assert found.refused == pytest.approx(0.0888, rel=0.06)


def test_an_overloaded_worker_answers_what_it_can():
    turns = Work(80.0, 80.0, most=32)
    found = simulate(turns, Fleet(workers=2, max_queue=64), 2.0, 20_000)
    assert found.requests_per_second == pytest.approx(2 * 1e6 / 82.5, rel=0.02)
    assert found.turn == pytest.approx(32, rel=0.02)


def test_a_deadline_bounds_the_times():
    found = simulate(ALONE, Fleet(workers=1, timeout_ms=20), 1.5, 10_000)
    assert found.expired == pytest.approx(1 / 3, abs=0.02)
    assert found.p99_ms <= 21 + 1e-9
    assert found.refused == 0


def test_seconds_of_all_requests_are_the_number_in_flight():
    """Little's law, for a slow model, whose requests count from their arrival on."""
    found = simulate(ALONE, Fleet(nodes=4, workers=2), 0.6, 20_000)
    in_flight = found.requests_per_second * found.mean_ms / 1000 / 4
    assert found.in_flight == pytest.approx(in_flight, rel=0.01)


def test_balancers_that_look_are_better_than_chance():
    p99 = {
        policy: simulate(ALONE, Fleet(16, 1, policy), 0.8, 20_000).p99_ms
        for policy in ("random", "two", "least")
    }
    assert p99["least"] < p99["two"] < p99["random"] / 2


def test_a_seed_gives_the_same_outcome_again():
    fleet = Fleet(nodes=3, balancer="two")
    assert simulate(MARKOV, fleet, 0.8, 2000) == simulate(MARKOV, fleet, 0.8, 2000)
    again = simulate(MARKOV, fleet, 0.8, 2000, seed=2)
    assert again != simulate(MARKOV, fleet, 0.8, 2000)


def test_factors_have_the_mean_1():
    drawn = Work(1.0, 1.0, sigma=0.4).factors(np.random.default_rng(1), 100_000)
    assert drawn.mean() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("connections", [1, 8, 64])
@pytest.mark.parametrize("key", COMPARED)
def test_one_machine_is_as_it_was_measured(key, connections):
    """The simulation knows of no other process that takes a core for a moment."""
    cell = work.measured(key)[connections]
    load = work.load_generator(key)
    found = machine.simulate(work.of(key), load, connections, requests=6000)
    assert 0.85 < found.requests_per_second / cell.requests_per_second < 1.15
    assert 0.85 < found.p50_ms / cell.p50_ms < 1.2
    assert 0.2 < found.p99_ms / cell.p99_ms < 1.2
    assert 0.9 < found.server_us / cell.server_us < 1.15


def test_needs_are_sums_that_anybody_can_do():
    kind = plan.Kind("pictures", "d", "mobilenet", 1, bytes_in=100_000, bytes_out=1000)
    needs = plan.needs(kind, 1000)
    cost = work.measured("d")[64].server_us
    assert needs.cores == pytest.approx(1000 * cost / 1e6 / 0.7)
    assert needs.pods == math.ceil(needs.cores / 4)
    assert needs.gbit_in == pytest.approx(0.8)
    assert needs.gbit_out == pytest.approx(0.008)
    assert needs.log_mb == pytest.approx(0.43)
    assert plan.needs(kind, 1).pods == 2, "one may end"


def test_a_store_is_asked_as_the_service_asks():
    assert Config().object_poll_seconds == store.POLL_SECONDS
    assert store.WHOLE_SECONDS == mirroring.WHOLE_SECONDS
    drawn = [mirroring._drawn(1.0) for _ in range(200)]
    assert 1 - store.JITTER <= min(drawn) < 0.8
    assert 1.2 < max(drawn) <= 1 + store.JITTER


def test_a_change_has_so_many_requests_on_each_node(tmp_path):
    memory = MemoryStore()
    one, two = Machine(memory, tmp_path / "one"), Machine(memory, tmp_path / "two")
    for name in ("linear", "other"):
        one.publish(name=name)
    two.mirror.refresh()
    for change in (
        lambda: one.publish(2),
        lambda: one.store.set_label("linear", "stable", 1),
    ):
        change()
        before = sum(two.bucket.counts.values())
        two.mirror.refresh(whole=False)
        asked = sum(two.bucket.counts.values()) - before
        assert asked == 1 + store.CHANGE_REQUESTS  # the look itself is one


def test_requests_to_a_store_are_sums():
    """60,000 versions and 10,000 labels are 70 pages of 1,000 keys."""
    found = store.Store(nodes=1000, models=10_000)
    assert found.pages == 70
    assert found.looks == 500
    assert found.lists == pytest.approx(1000 * 70 / 300)
    assert found.requests_of_a_change == 3000
    assert found.first_reads == 70_000
    assert store.Store(1, 1).pages == 2


def test_nodes_that_start_together_drift_apart():
    """Each of 1,000 nodes looks once in two seconds: 500 looks a second at best."""
    first, later = store.busiest_second(1000, 120)
    assert first == 1000
    assert 500 <= later < 600
    together, still_together = store.busiest_second(1000, 120, jitter=0.0)
    assert (together, still_together) == (1000, 1000)


def test_a_cache_of_the_most_wanted():
    assert store.hits(10_000, 10, equal=True) == pytest.approx(0.001)
    # The tenth harmonic number is 2.929, and the ten thousandth 9.788.
    assert store.hits(10_000, 10, equal=False) == pytest.approx(2.929 / 9.788, rel=1e-3)


def test_a_model_has_so_many_series():
    labels = ("POST", "/predict/image", 200, "planned", 3)
    noted = _metrics_of(*labels, "onnxruntime/CPUExecutionProvider", STAGES)
    for metric in noted[1:]:
        metric.observe(0.001) if hasattr(metric, "observe") else metric.inc()
    metrics.BATCH_SIZE.labels("planned").observe(1)
    metrics.LOADS.labels("planned", "3", "ok").inc()
    metrics.LOAD_SECONDS.labels("planned").observe(0.1)
    told = generate_latest(metrics.current_registry()).decode()
    lines = [line for line in told.splitlines() if 'model="planned"' in line]
    assert len(lines) == pytest.approx(store.SERIES, abs=10)
    assert sum(map(len, lines)) == pytest.approx(store.SERIES_BYTES, rel=0.1)


def test_the_page_has_these_sums_and_each_table():
    text = PAGE.read_text(encoding="utf-8")
    assert renewed(text, SUMS) == text, "run `python -m tools.capacity`"
    assert set(re.findall(r"<!-- simulated: ([\w ]+) -->", text)) == set(TABLES)
    with pytest.raises(KeyError):
        renewed("<!-- simulated: moods -->\n<!-- end of simulated -->")


def test_the_page_has_what_the_simulation_says():
    found = simulate(work.of("d"), Fleet(), 0.7)
    row = re.search(
        r"\| MobileNetV2 \| 0.70 \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|",
        PAGE.read_text(encoding="utf-8"),
    )
    told = (found.requests_per_second, found.p50_ms, found.p99_ms, found.in_flight)
    assert row.groups() == tuple(map(figure, told))
    autoscaler = one(built(FOLDER / "base"), "HorizontalPodAutoscaler")
    pods = autoscaler["spec"]["metrics"][0]["pods"]
    assert float(pods["target"]["averageValue"]) == round(found.in_flight)
