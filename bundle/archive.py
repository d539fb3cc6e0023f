"""A bundle's folder as one file: a tar, gzipped or not, or a zip.

An uploaded tar is read member by member, under limits, straight into the staging
folder. An uploaded zip is first written there whole, because its directory stands at
its end. ``TarFile.extractall`` is not used: attackers have got round its filters
(CVE-2024-12718, CVE-2025-4138, -4330, -4517), and Python before 3.11.13 has no fix.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bundle.bare import CONFIG, SAVED_MODEL_FOLDER
from bundle.entry import Entry
from bundle.errors import ArchiveError, TooLarge
from bundle.foreign import GZIP, told_by
from bundle.leftovers import lies_in_leftover
from bundle.member_names import MemberNames, parts_of
from bundle.tarball import is_header, read_tar
from bundle.upload import DEFAULT_LIMITS, Limits, Readable, Upload
from bundle.version import MARKS, model_folder
from bundle.versioned import lift, lift_newest
from bundle.zipball import MAGIC, read_zip

# An archive without a top folder has one of these files at its top.
_TOP_FILES = (*MARKS, CONFIG)
# This many first bytes tell one kind of file from another.
HEAD = 512


def unpack(
    stream: Readable,
    folder: Path,
    *,
    gzipped: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> str:
    """Unpack one bundle's archive; the files of its one top folder go to ``folder``.

    If the top folder holds versions (``NAME/1/…``, as TensorFlow Serving has them), the
    highest version is the bundle. An archive whose files lie in no folder, as ``tar -C
    NAME .`` makes it, is unpacked as it is. Files that programs leave in a folder
    (``bundle.leftovers``) are passed over.

    Args:
        stream: a tar, gzipped or not, or a zip; its bytes tell which of them.
        folder: an empty folder.
        gzipped: the sender said that it is gzipped; if it is not, that is an error.
        limits: the limits on the archive's content.

    Returns:
        The name of the top folder; empty if there is none, or if it is the number of a
        version or Triton's ``model.savedmodel``.

    Raises:
        ArchiveError: it is no archive that is taken, or is cut short, or has too many
            files, or holds links, devices, absolute names, ``..``, or several folders
            and no file beside them.
        TooLarge: it unpacks to more than the limit.
    """
    source = Upload(stream, gzipped, limits)
    head = source.peek(HEAD)
    if not head:
        raise ArchiveError("the upload is empty; send a tar of the bundle's folder")
    if head.startswith(MAGIC):
        top = _unpack_zip(source, folder, limits)
    elif not is_header(head) and (sentence := told_by(head)):
        raise ArchiveError(sentence)
    else:
        top = _take(_members(source), folder, limits)
    lift_newest(folder)
    inner = model_folder(folder)
    if inner != folder:
        lift(inner, folder)
    # These folders are parts of a model's, and have the same name in each model.
    return "" if top.isdecimal() or top == SAVED_MODEL_FOLDER else top


def is_archive(head: bytes) -> bool:
    """Tell whether a file with these first ``HEAD`` bytes is an archive of some kind.

    The file is one that ``unpack`` takes, or refuses with a sentence about its kind. A
    protobuf message is never mistaken for one: a tar's header has a checksum, and no
    message begins as the other kinds do.
    """
    is_known = head.startswith((GZIP, *MAGIC)) or is_header(head)
    return is_known or bool(told_by(head, only_archives=True))


def _members(source: Upload) -> Iterator[Entry]:
    yield from read_tar(source)
    # Gzip's checksum stands at the end of its data, and proves the rest.
    for _ in source.pieces():
        pass


def _unpack_zip(source: Upload, folder: Path, limits: Limits) -> str:
    # The file has no name in the folder, and is gone when it is closed.
    with tempfile.TemporaryFile(dir=folder) as file:
        for chunk in source.pieces():
            file.write(chunk)
        total = min(
            limits.total_bytes, limits.ratio_from + limits.ratio * source.came_bytes
        )
        entries = read_zip(file, members=limits.members, total_bytes=total)
        return _take(entries, folder, limits)


def _take(entries: Iterator[Entry], folder: Path, limits: Limits) -> str:
    tops: list[str] = []
    loose: list[str] = []
    count = 0
    names = MemberNames()
    for entry in entries:
        count += 1
        if count > limits.members:
            raise ArchiveError(
                f"the archive holds more than {limits.members} files and folders"
            )
        if entry.size < 0:
            raise ArchiveError(f"{entry.shown} has a negative size")
        if entry.size > limits.total_bytes:
            raise TooLarge(
                f"the archive unpacks to more than {limits.total_bytes} bytes"
            )
        if lies_in_leftover(entry.name.split("/")):
            continue
        parts = parts_of(entry, limits.depth)
        if not parts:
            continue
        if parts[0] not in tops:
            tops.append(parts[0])
        if len(parts) == 1 and not entry.is_folder:
            loose.append(parts[0])
        names.add(entry, parts)
        _write(entry, folder.joinpath(*parts))
    if not tops:
        raise ArchiveError(
            "the archive is empty; it must hold one bundle's folder, and names that"
            " begin with a dot are passed over"
        )
    # A file at the top may come last, so only the whole archive tells what it is.
    if any(name in _TOP_FILES for name in loose):
        return ""
    if loose:
        raise ArchiveError(
            f"the archive holds {loose[0]!r} outside any folder; pack the bundle's"
            " folder itself: tar cfz NAME.tar.gz NAME"
        )
    if len(tops) > 1:
        raise ArchiveError(
            f"the archive holds several top folders, {tops[0]!r} and {tops[1]!r}; send"
            " one bundle an archive"
        )
    lift(folder / tops[0], folder)
    return tops[0]


def _write(entry: Entry, path: Path) -> None:
    try:
        if entry.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            for chunk in entry.content:
                target.write(chunk)
    except (FileExistsError, NotADirectoryError) as ex:
        raise ArchiveError(
            f"{entry.shown} is a file and a folder in the same archive"
        ) from ex
