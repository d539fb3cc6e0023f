import pytest

from runtime.server.patience import BYTES, CROWDED_SECONDS, SECONDS, Patience, Stalled


def test_a_client_may_move_little_for_a_minute_and_no_longer():
    patience = Patience()
    patience.waited(SECONDS - 1)
    patience.moved(BYTES - 1)
    with pytest.raises(Stalled):
        patience.waited(1)


def test_one_that_moves_is_waited_for_again():
    patience = Patience()
    for _ in range(3):
        patience.waited(SECONDS - 1)
        patience.moved(BYTES)


def test_while_others_wait_it_makes_room_soon():
    crowd = []
    patience = Patience(lambda: bool(crowd))
    patience.waited(CROWDED_SECONDS)
    crowd.append("another")
    with pytest.raises(Stalled):
        patience.waited(0.25)
