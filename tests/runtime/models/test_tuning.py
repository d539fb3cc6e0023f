"""The figures are made up; tests/runtime/cli/test_tune.py runs a real bundle."""

import pytest

from runtime.models.tuning import Setting, Trial, choose, settings


def trial(workers, threads, batch_size, rate, p99):
    return Trial(Setting(workers, threads, batch_size), rate, p99 / 2, p99)


def test_threads_of_all_workers_are_no_more_than_cores():
    for cores in (1, 2, 3, 4, 6, 8):
        tried = list(settings(cores, 4))
        assert all(s.workers * s.intra_op_threads <= cores for s in tried)
        assert {s.batch_size for s in tried} == {1, 2, 4}
        assert len(set(tried)) == len(tried)
        assert Setting(1, 1, 1) in tried
        assert Setting(cores, 1, 4) in tried
        assert Setting(1, cores, 2) in tried


def test_one_core_and_one_item_is_one_setting():
    assert list(settings(1, 1)) == [Setting(1, 1, 1)]


def test_the_most_items_win():
    slow, quick = trial(1, 2, 1, 100, 10), trial(2, 1, 1, 180, 11)
    assert choose([slow, quick], None) is quick


def test_a_batch_must_be_worth_its_wait():
    alone, batch = trial(2, 1, 1, 100, 10), trial(2, 1, 8, 108, 75)
    assert choose([alone, batch], None) is alone
    assert choose([alone, trial(2, 1, 8, 300, 30)], None).setting.batch_size == 8


def test_a_small_models_batch_is_eaten_up_by_its_hand_over():
    """MNIST takes 45 us an item alone, 35 in a batch, and 50 to hand over."""
    alone, batch = trial(2, 1, 1, 22_000, 0.3), trial(2, 1, 4, 28_400, 2)
    assert choose([batch, alone], None) is alone


def test_what_misses_the_target_is_out():
    alone, batch = trial(2, 1, 1, 100, 10), trial(2, 1, 8, 300, 30)
    assert choose([alone, batch], 20) is alone
    assert choose([alone, batch], 5) is None


@pytest.mark.parametrize("target", [None, 10])
def test_of_equals_the_quickest_answers(target):
    one, two = trial(1, 2, 1, 100, 6), trial(2, 1, 1, 101, 10)
    assert choose([two, one], target) is one
