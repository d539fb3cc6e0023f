from runtime.server.heartbeat import Hearts, Watchdog


def test_a_worker_that_is_silent_for_so_many_looks_hangs():
    hearts = Hearts(2)
    watchdog = Watchdog(hearts, silent_looks=3)
    for index in (0, 1):
        hearts.beat(index)
    found = []
    for _ in range(4):
        hearts.beat(1)
        found.append(watchdog.look())
    assert found == [[], [], [], [0]]
    hearts.beat(0)
    assert watchdog.look() == []


def test_a_worker_that_does_not_serve_yet_is_not_looked_at():
    hearts = Hearts(1)
    watchdog = Watchdog(hearts, silent_looks=1)
    assert [watchdog.look() for _ in range(3)] == [[], [], []]
    hearts.beat(0)
    assert [watchdog.look() for _ in range(2)] == [[], [0]]
    hearts.stop(0)
    assert [watchdog.look() for _ in range(2)] == [[], []]
