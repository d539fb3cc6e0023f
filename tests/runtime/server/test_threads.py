import threading

from runtime.server.threads import Threads

PATIENCE = 30


def test_calls_of_a_key_wait_up_to_their_limit():
    threads = Threads("t", 1, max_waiting=2)
    go_on, done = threading.Event(), []

    def call():
        assert go_on.wait(PATIENCE)
        done.append(1)

    assert [threads.offer("a", call) for _ in range(4)] == [True, True, True, False]
    assert [threads.offer("b", call) for _ in range(3)] == [True, True, False]
    go_on.set()
    threads._pool.shutdown()
    assert len(done) == 5
    assert not threads._waiting


def test_a_free_thread_takes_a_call_though_none_may_wait():
    threads = Threads("t", 1, max_waiting=0)
    began, go_on = threading.Event(), threading.Event()

    def call():
        began.set()
        assert go_on.wait(PATIENCE)

    assert threads.offer("", call)
    assert began.wait(PATIENCE)
    assert not threads.offer("", call)
    go_on.set()
    threads._pool.shutdown()
