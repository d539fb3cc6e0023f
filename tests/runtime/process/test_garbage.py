import gc

import pytest

from runtime.process.garbage import uncollected


@pytest.fixture(autouse=True)
def as_before():
    yield
    gc.enable()


def test_the_collector_rests_in_the_block_and_works_after_it():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_the_block_made_is_looked_through_no_more():
    with uncollected():
        made = [[]]
        assert any(other is made for other in gc.get_objects())
    assert not any(other is made for other in gc.get_objects())


def test_the_collector_works_after_a_block_that_failed():
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
