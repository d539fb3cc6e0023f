"""The check of folders that the service reads and writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runtime.config import Config, ConfigError

_STATIC = ("js", "css", "images")


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; False if the folder above may not be read."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_can_be_made(folder: Path, told: str) -> None:
    """Check that a folder which is not there could be made.

    Args:
        folder: the folder; the folders above it may be missing, too.
        told: the beginning of the error's sentence, which names the key.

    Raises:
        ConfigError: it cannot be made.
    """
    path = folder.absolute()
    while not os.path.lexists(path.parent):
        path = path.parent
    try:
        # Some folders, such as /proc, show only at a trial that they take no folder.
        path.mkdir()
        with contextlib.suppress(OSError):  # somebody else has put a file there
            path.rmdir()
    except FileExistsError:  # somebody else made it meanwhile
        pass
    except OSError as ex:
        raise ConfigError(
            f"{told} is not there and cannot be made: {ex.strerror}"
        ) from ex


def check_log(config: Config) -> tuple[str, ...]:
    """Check that files can be written beside ``logFile``.

    Raises:
        ConfigError: they cannot.
    """
    if not config.log_file:
        return ()
    path = Path(config.log_file)
    if is_folder(path) or config.log_file.endswith("/"):
        raise ConfigError(
            f"'logFile' is {config.log_file}, which is a folder; name files in it, such"
            f" as {path / 'tfaas'}"
        )
    if not is_folder(path.parent):
        reason = "there is no such folder"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "its folder is not writable"
    else:
        return ()
    raise ConfigError(
        f"'logFile' is {config.log_file}, which cannot be written: {reason}"
    )


def check_static_files(config: Config) -> Iterator[str]:
    """Tell whether ``staticDir`` has nothing to serve.

    Raises:
        ConfigError: it is not a folder.
    """
    told = f"'staticDir' is {config.static_dir}, which"
    folder = Path(config.static_dir)
    if is_folder(folder):
        if not any(is_folder(folder / name) for name in _STATIC):
            yield f"{told} has none of the folders {', '.join(_STATIC)} to serve"
    elif os.path.lexists(folder):
        raise ConfigError(f"{told} is not a folder")
    elif config.static_dir not in ("", Config.static_dir):
        yield f"{told} is not there; /js, /css and /images will be 404"


def check_feedback(config: Config) -> Iterator[str]:
    """Check ``feedbackDir``, and tell whether its limit is too small.

    Raises:
        ConfigError: it cannot be used, or everybody could read it.
    """
    if not config.feedback_dir:
        return
    folder = Path(config.feedback_dir)
    told = f"'feedbackDir' is {folder}, which"
    place = folder.resolve()
    store = config.model_dir
    if isinstance(store, Path) and (
        place.is_relative_to(store.resolve()) or store.resolve().is_relative_to(place)
    ):
        raise ConfigError(
            f"'feedbackDir' is {folder} and 'modelDir' is {config.model_dir}: one lies"
            " in the other; name a folder of its own"
        )
    # A folder of pictures is called as one of staticDir's folders is: images. Each may
    # be a link, and an empty staticDir is the working folder.
    static = Path(config.static_dir)
    for shown in ((static / name).resolve() for name in _STATIC):
        if place.is_relative_to(shown) or shown.is_relative_to(place):
            raise ConfigError(
                f"'feedbackDir' is {folder} and 'staticDir' is {static}, whose files"
                " everybody may read: one lies in the other; name another folder"
            )
    if is_folder(folder):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(
                f"{told} cannot be read and written; change its permissions"
            )
    elif os.path.lexists(folder):
        raise ConfigError(f"{told} is not a folder")
    else:
        check_can_be_made(folder, told)
    if config.feedback_bytes < config.max_body_bytes:
        yield (
            f"'feedbackBytes' ({config.feedback_bytes}) is less than 'maxBodyBytes'"
            f" ({config.max_body_bytes}): one picture may be larger than all feedback"
            " may be"
        )
