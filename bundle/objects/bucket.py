"""A bucket: the few operations of an object store that this project uses, by obstore.

All errors of obstore are translated here. Their texts hold addresses, which may hold a
signature (Azure's), and the store's own words. So no sentence has them, and no error
keeps them as its cause, because a log would write them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import LocalStore, from_url

from bundle.errors import StoreError, StoreUnreachable, TooLarge

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Obstore

logger = logging.getLogger(__name__)

# A request that moves at most _CHUNK bytes has ended by then, or never ends.
SECONDS = 15.0
# obstore repeats what may be repeated, within so many seconds.
RETRY_SECONDS = 10.0
_CHUNK = 8 << 20
# A write whose answer was lost is looked after, and repeated, so often.
TRIES = 5
# Changes of one object by others, in a row, after which a writer gives up.
CONFLICTS = 20

_STATUS = re.compile(r"status code: (\d{3})")


# An empty object, which is written to learn the store's time.
_TIME = "time"

_REFUSED = "the object store refuses the credentials, or there are none"
NO_BUCKET = "the object store has no such bucket"


@dataclass(frozen=True)
class Listed:
    """One object of a listing.

    Attributes:
        tag: the store's mark of its content, which changes with it.
        size: its bytes.
        changed: the time of its last change, in seconds since 1970.
    """

    tag: str
    size: int
    changed: float


class Bucket:
    """A place in an object store; a key is a path below it.

    Args:
        store: obstore's store.
        lock: a file that is locked while an object is compared and replaced, for a
            store that cannot do that itself; None where the store can.
    """

    def __init__(self, store: Obstore, lock: Path | None = None) -> None:
        self._store = store
        self._lock = lock

    def read(self, key: str, most_bytes: int | None = None) -> tuple[bytes, str] | None:
        """Read an object.

        Args:
            key: its key.
            most_bytes: do not read a larger one.

        Returns:
            Its bytes and its tag; None if it is not there.

        Raises:
            TooLarge: it has more than ``most_bytes``.
        """
        try:
            with _translated():
                got = obstore.get(self._store, key)
                if most_bytes is None or got.meta["size"] <= most_bytes:
                    return bytes(got.bytes()), got.meta["e_tag"] or ""
        except FileNotFoundError:
            return None
        raise TooLarge(f"it has more than {most_bytes} bytes")

    def look(self, key: str) -> Listed | None:
        """Ask for an object's size and tag; None if it is not there."""
        try:
            return _listed(self.head(key))
        except FileNotFoundError:
            return None

    def create(self, key: str, content: bytes) -> bool:
        """Write an object that is not there; False if it is there."""
        try:
            with _translated():
                obstore.put(self._store, key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def replace(self, key: str, content: bytes, tag: str) -> bool:
        """Replace an object that still has this tag; False if it has another."""
        try:
            there = self.head(key)
        except FileNotFoundError:
            return False
        return there["e_tag"] == tag and self.swap(key, content, there)

    def update(self, key: str, change: Callable[[bytes | None], bytes]) -> bool:
        """Change an object, or create it, by compare-and-set.

        Args:
            key: its key.
            change: makes the new content of the old one, or of None.

        Returns:
            False if somebody else has changed it meanwhile; it is as they left it.
        """
        found = self.read(key)
        content = change(found[0] if found else None)
        if found is None:
            return self.create(key, content)
        return found[0] == content or self.replace(key, content, found[1])

    def swap(self, key: str, content: bytes, there: ObjectMeta) -> bool:
        """Let the store itself compare and replace.

        Args:
            key: the object's key.
            content: its new content.
            there: the answer of ``head``.

        Returns:
            False if the object has changed since then.
        """
        mode: Any = {"e_tag": there["e_tag"]}
        if there["version"]:  # Google's store compares this, and the others the tag
            mode["version"] = there["version"]
        try:
            with _translated(), self._alone():
                if self._lock is None:
                    obstore.put(self._store, key, content, mode=mode)
                elif obstore.head(self._store, key)["e_tag"] != there["e_tag"]:
                    return False
                else:
                    obstore.put(self._store, key, content)
        except (PreconditionError, FileNotFoundError):
            return False
        return True

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object, whatever was there; a large file goes in parts."""
        with _translated():
            obstore.put(self._store, key, content)

    def fetch(self, key: str, path: Path, size: int) -> str:
        """Write an object of so many bytes into a new file.

        Returns:
            The sha256 of what came, in hexadecimal; empty if it has another size, and
            then nothing is fetched.

        Raises:
            FileNotFoundError: the object is not there.
            OSError: the disk refuses the file.
        """
        digest = hashlib.sha256()
        with path.open("xb") as stream:
            if self.head(key)["size"] != size:
                return ""
            # Each piece is a request of its own, so a slow store never runs into the
            # limit of a request only because a file is large.
            for start in range(0, size, _CHUNK):
                end = min(start + _CHUNK, size)
                with _translated():
                    piece = obstore.get_range(self._store, key, start=start, end=end)
                digest.update(piece)
                stream.write(piece)
        return digest.hexdigest()

    def list(self, prefix: str) -> dict[str, Listed]:
        """List all objects below a prefix, which ends with a slash, by their keys."""
        found: dict[str, Listed] = {}
        try:
            with _translated():
                for page in obstore.list(self._store, prefix):
                    for meta in page:
                        found[meta["path"]] = _listed(meta)
        except FileNotFoundError:
            raise StoreUnreachable(NO_BUCKET) from None
        return found

    def changed(self, key: str) -> float:
        """Return when an object was written, by the store's clock; 0 without it."""
        try:
            return self.head(key)["last_modified"].timestamp()
        except FileNotFoundError:
            return 0.0

    def time(self) -> float:
        """Ask for the store's time, in seconds since 1970.

        The times of a listing are the store's, and a machine's own clock may be wrong.
        """
        with _translated():
            obstore.put(self._store, _TIME, b"")
        return self.changed(_TIME)

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with contextlib.suppress(FileNotFoundError), _translated():
            obstore.delete(self._store, key)

    def head(self, key: str) -> ObjectMeta:
        """Ask what the store knows of an object.

        Raises:
            FileNotFoundError: the object is not there.
        """
        with _translated():
            return obstore.head(self._store, key)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def open_bucket(
    url: str,
    *,
    is_patient: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Bucket:
    """Open the place that a URL names; nothing is asked yet.

    Credentials, region and endpoint come from the environment, as obstore reads it:
    ``AWS_…``, ``GOOGLE_…`` and ``AZURE_…``.

    Args:
        url: the place.
        is_patient: a request that fails is tried again.
        environ: the environment, for what obstore does not read there.

    Raises:
        StoreError: the URL or the environment makes no store.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        try:
            local = LocalStore(folder, mkdir=True)
        except (BaseError, OSError) as ex:
            raise StoreError("the object store's folder cannot be made") from ex
        return Bucket(local, folder / ".lock")
    retries: Any = {
        "max_retries": 5 if is_patient else 0,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "base": 2},
    }
    options: Any = {
        "timeout": timedelta(seconds=SECONDS if is_patient else 3),
        "connect_timeout": timedelta(seconds=3),
        # A server of one's own often speaks no TLS. Its address is a choice for that.
        "allow_http": any(
            environ.get(name, "").startswith("http://")
            for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
        ),
    }
    try:
        return Bucket(from_url(url, client_options=options, retry_config=retries))
    except (BaseError, ValueError):
        raise StoreError(
            "the object store cannot be opened: its URL or the variables with its"
            " credentials are wrong (docs/objects.md)"
        ) from None


def _listed(meta: ObjectMeta) -> Listed:
    return Listed(meta["e_tag"] or "", meta["size"], meta["last_modified"].timestamp())


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, PreconditionError, FileNotFoundError):
        raise
    except (PermissionDeniedError, UnauthenticatedError, PermissionError):
        raise StoreUnreachable(_REFUSED) from None
    except (BaseError, OSError, TimeoutError) as ex:
        raise StoreUnreachable(_why(str(ex))) from None


def _why(text: str) -> str:
    found = _STATUS.search(text)
    if found and found[1] in ("401", "403"):
        return _REFUSED
    if found and found[1] == "404":  # a missing object is no error of this kind
        return NO_BUCKET
    if found:
        return f"the object store answers {found[1]}"
    if "TimedOut" in text:
        return "the object store does not answer in time"
    return "the object store does not answer"
