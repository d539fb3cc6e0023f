"""The room limits the bytes of bodies in memory, and chooses the next body."""

import pytest

from runtime.server.room import ALL_BYTES, CLIENTS_SHARE, FREE_BYTES, Held, Room

MB = 1 << 20
SHARE = ALL_BYTES // CLIENTS_SHARE


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def room(clock):
    return Room(32 * MB, clock)


@pytest.fixture
def body(clock):
    """Return a function that begins a body; ``gone`` lists the bodies given up."""

    class Bodies:
        def __init__(self):
            self.gone = []

        def __call__(self, client):
            held = Held(client, clock.now, lambda: self.gone.append(held))
            return held

    return Bodies()


def test_what_is_announced_or_small_counts_nothing(room, body):
    for _ in range(10_000):
        assert room.take(body("a"), FREE_BYTES)
    assert room.take(body("a"), 32 * MB)


def test_one_client_leaves_room_for_others(room, body):
    taken = [room.take(body("a"), 32 * MB) for _ in range(10)]
    assert taken.count(True) == SHARE // (32 * MB) == 2
    assert room.take(body("b"), 32 * MB)


def test_all_together_have_an_end(room, body):
    bodies = [body(str(n)) for n in range(ALL_BYTES // (32 * MB))]
    assert all(room.take(held, 32 * MB) for held in bodies)
    late = body("late")
    assert not room.take(late, MB)
    room.free(bodies[0])
    assert room.take(late, MB)
    for held in (*bodies, late):
        room.free(held)
        room.free(held)
    assert room.take(body("b"), 32 * MB)


def test_one_that_stopped_coming_makes_room_for_one_that_comes(room, body, clock):
    bodies = [body(str(n)) for n in range(ALL_BYTES // (32 * MB))]
    for held in bodies:
        assert room.take(held, 31 * MB)
    clock.now += 6
    assert room.take(bodies[0], MB)
    assert room.take(body("late"), 32 * MB)
    (gone,) = body.gone
    assert gone in bodies[1:]


def test_within_a_clients_share_its_own_make_room(room, body, clock):
    others, own = body("b"), [body("a"), body("a")]
    for held in (others, *own):
        assert room.take(held, 32 * MB)
    clock.now += 6
    assert room.take(body("a"), 32 * MB)
    assert body.gone == own[:1]


def test_one_that_is_whole_is_not_given_up(room, body, clock):
    own = [body("a"), body("a")]
    for held in own:
        assert room.take(held, 32 * MB)
        room.come(held)
    clock.now += 60
    assert not room.take(body("a"), 32 * MB)
    assert body.gone == []


def test_all_but_the_last_byte_is_not_waited_for_longer_than_the_first(
    room, body, clock
):
    held = body("a")
    room.take(held, 31 * MB)
    clock.now += 59
    assert not held.is_slow(clock.now)
    clock.now += 2
    assert held.is_slow(clock.now)
