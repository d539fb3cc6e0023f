"""Bytes go over sockets to a real ``runtime serve``: cut, in pieces, and damaged.

``FUZZ`` and ``FUZZ_SEED`` are as in ``test_fuzz``: so many damaged requests are sent,
and with 20,000 or more of them each request is cut at each of its bytes.
"""

import asyncio
import random
import socket
import struct
import time
from urllib.parse import urlsplit

import psutil
import pytest

from runtime.server.front import DOWNLOADS, HEAD_SECONDS, UPLOADS
from tests.end_to_end.conftest import CLIENT, RUNTIME, serving
from tests.examples import write_bundle
from tests.fuzz.inputs import mutated
from tests.fuzz.run import GROWTH_BYTES, HANG_SECONDS, ROOT, Wrong
from tests.fuzz.test_fuzz import COUNT, SEED
from tests.fuzz.wire import check, check_cut, replies_of, requests

pytestmark = pytest.mark.slow

# So many connections are busy at the same time.
CLIENTS = 64
# Each request is cut at every so many bytes.
STEP = max(1, 20_000 // COUNT)
REQUESTS = requests()
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Wire:
    """A client of one server, which sends bytes as they are."""

    def __init__(self, url, folder):
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._secrets = [b"Traceback (most", str(folder).encode(), str(ROOT).encode()]
        self.sent = 0

    async def ask(self, *pieces, ends=False, leaves=False):
        """Send pieces one after the other; return all that the server sends.

        The client then waits for the server's end, or ends its sending, or hangs up.
        A connection that nobody ends would be closed after ``HEAD_SECONDS`` as idle.
        """
        async with asyncio.timeout(HEAD_SECONDS):
            reader, writer = await asyncio.open_connection(*self._address)
            self.sent += 1
            received = b""
            try:
                for piece in pieces[:-1]:
                    writer.write(piece)
                    # The server has most likely read the piece when it answers this.
                    await self.ask(LIVEZ)
                writer.write(pieces[-1])
                if ends:
                    writer.write_eof()
                if leaves:
                    now = struct.pack("ii", 1, 0)
                    end = writer.get_extra_info("socket")
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                else:
                    received = await reader.read()
            finally:
                writer.close()
        for secret in self._secrets:
            if secret in received:
                raise Wrong(f"{secret!r} is in the reply {received[:500]!r}")
        return received

    async def replies(self, *pieces, **how):
        """Send pieces; return the replies."""
        return replies_of(await self.ask(*pieces, **how))


async def at_once(jobs):
    """Do jobs, many at a time; each is a function and its arguments."""
    waiting = iter(jobs)

    async def work():
        for do, *arguments in waiting:
            try:
                await do(*arguments)
            except Exception as ex:
                raise Wrong(f"seed {SEED}: {do.__name__}{arguments!r}") from ex

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(work())


async def in_two(wire, name, at, whole):
    sent = b"".join(REQUESTS[name])
    assert await wire.replies(sent[:at], sent[at:]) == whole


async def byte_by_byte(wire, name, whole):
    sent = b"".join(REQUESTS[name])
    assert await wire.replies(*(sent[at : at + 1] for at in range(len(sent)))) == whole


async def cut(wire, name, at, whole):
    sent = b"".join(REQUESTS[name])[:at]
    check_cut(REQUESTS[name], at, await wire.replies(sent, ends=True), whole)
    await wire.ask(sent, leaves=True)


async def damaged(wire, nth):
    dice = random.Random(f"{SEED} {nth}")
    data = mutated(b"".join(REQUESTS[dice.choice(list(REQUESTS))]), dice)
    try:
        if dice.random() < 0.1:
            await wire.ask(data, leaves=True)
        else:
            check(data, await wire.replies(data, ends=True))
    except Exception as ex:
        ex.add_note(f"it was sent {data!r}")
        raise


def cuts():
    for name, messages in REQUESTS.items():
        for at in range(1, sum(map(len, messages)), STEP):
            yield name, at


async def send_all(wire, worker):
    """Send everything; return the bytes by which the worker has grown."""
    whole = {
        name: await wire.replies(b"".join(messages))
        for name, messages in REQUESTS.items()
    }
    for name, messages in REQUESTS.items():
        assert len(whole[name]) == len(messages)
    await at_once((byte_by_byte, wire, name, whole[name]) for name in REQUESTS)
    await at_once((in_two, wire, name, at, whole[name]) for name, at in cuts())
    await at_once((cut, wire, name, at, whole[name]) for name, at in cuts())
    await at_once((damaged, wire, nth) for nth in range(COUNT // 4))
    early = worker.memory_info().rss
    await at_once((damaged, wire, nth) for nth in range(COUNT // 4, COUNT))
    grown = worker.memory_info().rss - early
    for name, messages in REQUESTS.items():
        assert await wire.replies(b"".join(messages)) == whole[name]
    return grown


def test_no_bytes_are_more_than_refused_and_what_is_whole_is_answered(tmp_path):
    write_bundle(tmp_path / "models" / "linear" / "1")
    with serving(f"{RUNTIME} --workers 1", tmp_path) as server:
        (worker,) = server.workers()
        # The model is loaded, and some replies tell so.
        body = b'{"model": "linear", "values": [1, 2, 3, 4]}'
        assert CLIENT.post(f"{server.url}/predict/json", content=body).is_success
        threads = worker.num_threads()
        wire = Wire(server.url, tmp_path)
        begun = time.monotonic()
        grown = asyncio.run(send_all(wire, worker))
        took = time.monotonic() - begun
        print(
            f"seed {SEED}: {wire.sent} connections in {took:.0f} s;"
            f" grown {grown >> 10} KiB"
        )
        begun = time.monotonic()
        assert CLIENT.get(f"{server.url}/livez").json() == {"status": "alive"}
        assert time.monotonic() - begun < 5
        assert grown < GROWTH_BYTES
        assert server.workers() == [worker]
        assert worker.num_threads() <= threads + UPLOADS + DOWNLOADS
        while held(worker):
            assert time.monotonic() - begun < HANG_SECONDS, held(worker)


def held(worker):
    """Return the connections that a worker has not closed."""
    return [
        one
        for one in worker.net_connections()
        if one.status not in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    ]
