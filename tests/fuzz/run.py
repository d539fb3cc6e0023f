"""The fuzzer's process holds the application and sends damaged requests to it.

``python -m tests.fuzz.run COUNT SEED`` prints the first wrong reply, and how to make it
again, and ends with 1. A crash ends the process itself.
"""

from __future__ import annotations

import faulthandler
import io
import logging
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import psutil
from falcon.testing import create_environ

from bundle.store_reader import UNLOADED
from runtime.config import Config
from runtime.http.application import create_app
from runtime.services import create_services
from tests.clients import HERE
from tests.fuzz.inputs import (
    MODELS,
    Request,
    damaged,
    upload_of,
    whole_requests,
    write_store,
)

ROOT = Path(__file__).parents[2]
# A request that takes longer on a busy machine hangs, and its stack is printed.
HANG_SECONDS = 60
# The memory of the process may grow so much, between the first quarter of the requests
# and their end.
GROWTH_BYTES = 24 << 20
# In this share of the uploads one file is damaged, and not the archive.
FILES = 0.1


class Wrong(Exception):
    """A reply that a request must not get."""


class Fuzzer:
    """A client of one application, which keeps the application's store filled.

    Args:
        folder: the place of the store.
        max_body_bytes: the application's limit of a body.
        max_upload_bytes: the application's limit of an upload.
    """

    def __init__(
        self,
        folder: Path,
        max_body_bytes: int = 100_000,
        max_upload_bytes: int = 1_000_000,
    ) -> None:
        self._folder = folder
        self._models = folder / "models"
        self._feedback = folder / "feedback"
        config = Config(
            model_dir=self._models,
            provider="cpu",
            onnx="require",  # TensorFlow is not tested here
            export_on_upload="off",
            keep_versions=2,
            feedback_dir=str(self._feedback),
            cache_limit=4,
            max_body_bytes=max_body_bytes,
            max_upload_bytes=max_upload_bytes,
        )
        self._log = io.StringIO()
        logging.basicConfig(stream=self._log, level=logging.ERROR, force=True)
        write_store(self._models)
        services = create_services(config)
        self.application = create_app(services, config)
        self.statuses: Counter[int] = Counter()

    def ask(self, request: Request) -> None:
        """Send a request, and check its reply.

        Raises:
            Wrong: the reply is a 5xx other than 501 and 503, or tells secrets of the
                server.
        """
        self._log.seek(0)
        self._log.truncate()
        environ = create_environ(method=request.method, **HERE)
        # A server gives these as text in PEP 3333's latin-1.
        environ["PATH_INFO"] = request.path.decode("latin-1")
        environ["QUERY_STRING"] = request.query.decode("latin-1")
        environ["CONTENT_LENGTH"] = str(len(request.body))
        environ["wsgi.input"] = io.BytesIO(request.body)
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):  # as PEP 3333 has them
                key = f"HTTP_{key}"
            environ[key] = value.decode("latin-1")
        told: list[str] = []
        reply = self.application(environ, lambda status, *rest: told.append(status))
        try:
            body = b"".join(reply)
        finally:
            getattr(reply, "close", lambda: None)()
        status = int(told[0].split()[0])
        self.statuses[status] += 1
        if status >= 500 and status not in (501, 503):
            raise Wrong(f"{status} {body[:500]!r}\n{self._log.getvalue()[-4000:]}")
        for secret in (b"Traceback (most", str(self._folder), str(ROOT), sys.prefix):
            if (secret if isinstance(secret, bytes) else secret.encode()) in body:
                raise Wrong(f"{secret!r} is in the reply {body[:500]!r}")

    def has(self, name: str) -> bool:
        """Tell whether no request deleted or unloaded a model."""
        model = self._models / name
        return model.exists() and not (model / UNLOADED).exists()

    def refill(self) -> None:
        """Restore the models that requests changed, and take the feedback away."""
        shutil.rmtree(self._models, ignore_errors=True)
        shutil.rmtree(self._feedback, ignore_errors=True)
        write_store(self._models)


def main(count: int, seed: int) -> int:
    """Send ``count`` damaged requests; return 1 if a reply was wrong, else 0."""
    dice = random.Random(seed)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzzer = Fuzzer(folder)
        whole = whole_requests(fuzzer.application, folder)
        # More routes take no body, but fewer faults can be found in them.
        whole += [request for request in whole if request.body] * 3
        for request in whole:
            fuzzer.refill()
            fuzzer.ask(request)
        # If a request were not admitted, it would not be read, and its damage would
        # test nothing.
        assert not fuzzer.statuses.keys() & {401, 403}, fuzzer.statuses
        fuzzer.statuses.clear()
        early = 0
        for nth in range(count):
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            if nth == count // 4:
                early = process.memory_info().rss
            if nth % 20 == 0 or not all(map(fuzzer.has, MODELS)):
                fuzzer.refill()
            if dice.random() < FILES:
                request = upload_of(folder / "upload", dice)
            else:
                request = damaged(dice.choice(whole), dice)
            try:
                fuzzer.ask(request)
            except Exception as ex:
                print(f"seed {seed}, request {nth}: {request}\n{ex!r}\n{ex}")
                return 1
        faulthandler.cancel_dump_traceback_later()
        grown = process.memory_info().rss - early
    counts = ", ".join(f"{n} of {s}" for s, n in sorted(fuzzer.statuses.items()))
    print(f"seed {seed}: {count} requests: {counts}; grown {grown >> 10} KiB")
    return int(grown > GROWTH_BYTES)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
