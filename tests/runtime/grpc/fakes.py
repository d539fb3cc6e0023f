"""A call without a connection."""

import queue
import threading

import grpc


class Aborted(Exception):
    """The call was ended with a status."""

    def __init__(self, code, details):
        super().__init__(code, details)
        self.code = code
        self.details = details


class Context:
    """grpcio's context of a call, which remembers what was done to it."""

    def __init__(self, *, left=1e10, peer="ipv4:127.0.0.1:4711", metadata=()):
        self.left = left
        self.metadata = metadata
        self.trailing = ()
        self.callbacks = []
        self.is_cancelled = False
        self._peer = peer
        self._coming = queue.SimpleQueue()
        self.is_asked = threading.Event()

    def peer(self):
        return self._peer

    def invocation_metadata(self):
        return self.metadata

    def time_remaining(self):
        return self.left

    def add_callback(self, callback):
        self.callbacks.append(callback)
        return True

    def set_trailing_metadata(self, metadata):
        self.trailing = metadata

    def abort(self, code, details):
        raise Aborted(code, details)

    def is_active(self):
        return not self.is_cancelled

    def cancel(self):
        self.is_cancelled = True
        self._coming.put(grpc.RpcError())

    # -- the client's messages ---------------------------------------------------------

    def send(self, *messages):
        for message in messages:
            self._coming.put(message)
        return self

    def __iter__(self):
        return self

    def __next__(self):
        self.is_asked.set()
        message = self._coming.get(timeout=30)
        if message is None:
            raise StopIteration
        if isinstance(message, Exception):
            raise message
        return message
