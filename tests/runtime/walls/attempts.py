"""Code in a child process makes attempts: ``python attempts.py JSON``.

The JSON gives the walls and the place. The child prints a line of JSON with the outcome
of each attempt: ``done``, or the name of an errno.
"""

import ctypes
import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

MAX_FILE_BYTES = 1 << 20


class Place:
    """The folders: ``bundle`` and ``scratch`` of the child, ``outside`` of others."""

    def __init__(self, root, port=0):
        self.root = Path(root)
        self.port = port
        self.bundle = self.root / "models" / "mine" / "1"
        self.other = self.root / "models" / "other" / "1"
        self.outside = self.root / "outside"
        self.scratch = self.root / "scratch"

    def make(self):
        for folder in (self.bundle, self.other, self.outside, self.scratch):
            folder.mkdir(parents=True)
        (self.bundle / "labels.txt").write_text("one\n")
        (self.bundle / "labels.txt").chmod(0o600)
        (self.other / "labels.txt").write_text("other\n")
        (self.root / "config.json").write_text("{}")
        for name in ("file", "gone", "moved", "taken", "cut", "shorn", "linked", "own"):
            (self.outside / name).write_text("whole")
        (self.outside / "empty").mkdir()


# --- what is to be refused: by Landlock, by seccomp, or by either


def write(place):
    (place.outside / "new").write_text("x")


def append(place):
    with (place.outside / "file").open("a") as stream:
        stream.write("x")


def make_folder(place):
    (place.outside / "folder").mkdir()


def remove_folder(place):
    (place.outside / "empty").rmdir()


def unlink(place):
    (place.outside / "gone").unlink()


def rename(place):
    (place.outside / "moved").rename(place.outside / "there")


def take(place):
    (place.outside / "taken").rename(place.scratch / "taken")


def link(place):
    os.link(place.outside / "linked", place.scratch / "linked")


def link_to_what_others_write(place):
    (place.scratch / "link").symlink_to("/etc/passwd")


def truncate(place):
    os.truncate(place.outside / "cut", 0)


def truncate_by_opening(place):
    os.close(os.open(place.outside / "shorn", os.O_WRONLY | os.O_TRUNC))


def write_into_the_bundle(place):
    (place.bundle / "more.txt").write_text("two\n")


def read_settings(place):
    (place.root / "config.json").read_text()


def read_another_model(place):
    (place.other / "labels.txt").read_text()


def list_models(place):
    list((place.root / "models").iterdir())


def list_home(place):
    list(Path.home().iterdir())


def read_shadow(place):
    Path("/etc/shadow").read_bytes()


def read_the_parents_variables(place):
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


def read_the_parents_arguments(place):
    Path(f"/proc/{os.getppid()}/cmdline").read_bytes()


def change_mode(place):
    (place.outside / "own").chmod(0o777)


def change_owner(place):
    os.chown(place.outside / "own", os.getuid(), -1)


def change_time(place):
    os.utime(place.outside / "own")


def make_pipe(place):
    os.mkfifo(place.scratch / "pipe")


def tcp(place):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def tcp6(place):
    socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()


def udp(place):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def unix(place):
    socket.socket(socket.AF_UNIX).close()


def connect(place):
    with socket.socket() as one:
        one.connect(("127.0.0.1", place.port))


def send_by_a_pair_to_others(place):
    """A pair of datagrams can be used to send to any socket that has a name."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b"x", os.fspath(place.root / "heard"))


def execute(place):
    subprocess.run(["/bin/true"], check=True)


def spawn(place):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


def fork(place):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def signal_the_parent(place):
    os.kill(os.getppid(), signal.SIGCONT)


def signal_all(place):
    os.kill(-1, 0)


def stop_ending_with_the_parent(place):
    _call("prctl", 1, 0, 0, 0, 0)


def read_the_parents_memory(place):
    buffer = ctypes.create_string_buffer(8)
    here = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(buffer), 8))
    one = ctypes.c_void_p(ctypes.addressof(here))
    _call("process_vm_readv", os.getppid(), one, 1, one, 1, 0)


def raise_a_limit(place):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.prlimit(0, resource.RLIMIT_CORE, limits)


def have_the_parent_signalled(place):
    import fcntl

    one, _ = os.pipe()
    fcntl.fcntl(one, 8, os.getppid())  # this is F_SETOWN


def let_others_wait_at_a_file(place):
    import fcntl

    with (place.bundle / "labels.txt").open("rb") as stream:
        fcntl.fcntl(stream, 1024, fcntl.F_RDLCK)  # this is F_SETLEASE
        fcntl.fcntl(stream, 1024, fcntl.F_UNLCK)


def write_too_much(place):
    (place.scratch / "large").write_bytes(b"x" * (MAX_FILE_BYTES + 1))


def _call(name, *arguments):
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*words) < 0:
        raise OSError(ctypes.get_errno(), "")


# --- what is to go on


def write_in_the_scratch_folder(place):
    (place.scratch / "deep").mkdir()
    (place.scratch / "file").write_text("x")
    (place.scratch / "file").rename(place.scratch / "deep" / "file")
    with (place.scratch / "deep" / "file").open("r+") as stream:
        stream.truncate(0)
    (place.scratch / "deep" / "file").unlink()
    (place.scratch / "deep").rmdir()


def read_the_bundle(place):
    assert place.bundle / "labels.txt" in list(place.bundle.iterdir())
    assert (place.bundle / "labels.txt").read_text() == "one\n"


def start_threads(place):
    threads = [threading.Thread(target=int) for _ in range(4)]
    for thread in threads:
        thread.start()
        thread.join()


def import_what_was_not_yet(place):
    import sqlite3  # it loads a library of the system or of Python

    import numpy  # it starts threads

    assert numpy.ones((300, 300)) @ numpy.ones(300) is not None
    assert sqlite3.sqlite_version


def know_the_machine(place):
    assert os.cpu_count()
    for file in ("cpuinfo", "meminfo", "self/status", "self/maps"):
        assert Path("/proc", file).read_bytes()


def talk_to_itself(place):
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x")
        assert other.recv(1) == b"x"


def signal_itself(place):
    os.kill(os.getpid(), 0)


def draw_lots(place):
    with Path("/dev/urandom").open("rb") as stream:
        assert len(stream.read(8)) == 8
    Path("/dev/null").write_bytes(b"x")


LANDLOCK = (
    *(write, append, make_folder, remove_folder, unlink, rename, take, link),
    *(link_to_what_others_write, truncate_by_opening, write_into_the_bundle),
    *(read_settings, read_another_model, list_models, list_home, read_shadow),
    *(read_the_parents_variables, read_the_parents_arguments),
)
SECCOMP = (
    *(truncate, change_mode, change_owner, change_time, make_pipe),
    *(tcp, tcp6, udp, unix, connect, send_by_a_pair_to_others),
    *(execute, spawn, fork, signal_the_parent, signal_all),
    *(stop_ending_with_the_parent, read_the_parents_memory),
    *(raise_a_limit, have_the_parent_signalled, let_others_wait_at_a_file),
)
LIMITS = (write_too_much,)
ALLOWED = (
    *(write_in_the_scratch_folder, read_the_bundle, start_threads),
    *(import_what_was_not_yet, know_the_machine, talk_to_itself, signal_itself),
    *(draw_lots,),
)


def outcome(attempt, place):
    try:
        attempt(place)
    except OSError as ex:
        return errno.errorcode.get(ex.errno, str(ex))
    except Exception as ex:
        return repr(ex)
    return "done"


def main(given):
    from runtime.walls import Room, enclose
    from tests.runtime.walls.kernels import without

    place = Place(given["root"], given["port"])
    names = []
    if given["policy"]:
        without(given["lacks"])
        room = Room(
            (place.bundle,), (place.scratch,), MAX_FILE_BYTES, given.get("user", "")
        )
        names = list(enclose(room, given["policy"]))
    attempts = [*LANDLOCK, *SECCOMP, *LIMITS, *ALLOWED]
    outcomes = {attempt.__name__: outcome(attempt, place) for attempt in attempts}
    status = Path("/proc/self/status").read_text()
    (capabilities,) = re.findall(r"CapPrm:\s*(\w+)", status)
    told = {"names": names, "uid": os.getuid(), "capabilities": int(capabilities, 16)}
    print(json.dumps({**told, **outcomes}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
