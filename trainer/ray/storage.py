"""The states of a training on Ray: a folder that all machines share, or a bucket.

Ray Train writes them there. Ray itself forgets a state that was written less than two
seconds before a worker was lost. So whoever goes on looks into the folder, and not into
Ray's list.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from trainer.errors import CheckpointError, SettingsError
from trainer.saved import Saved, read_saved

# The one file of a state.
FILE_NAME = "state.npz"
_PREFIX = "epoch_"


def folder_name(epoch: int) -> str:
    """Return the name of the folder with the state after so many epochs."""
    return f"{_PREFIX}{epoch:06d}"


class Storage:
    """The states of one training.

    Args:
        place: a path, or a URL such as ``s3://bucket/prefix``.
        name: the folder of the training there.

    Attributes:
        place: the absolute path, or the URL.
        name: see above.

    Raises:
        SettingsError: the URL cannot be read.
    """

    def __init__(self, place: str, name: str) -> None:
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem

        # Ray and its workers have other working directories.
        self.place = place if "://" in place else str(Path(place).resolve())
        self.name = name
        try:
            self._files, path = FileSystem.from_uri(self.place)
            if not path:
                raise ValueError("no bucket is named")
        except (ArrowException, ValueError, OSError) as ex:
            raise SettingsError(
                f"--ray-storage {place} is neither the path of a folder nor the URL of"
                " a bucket, such as s3://bucket/prefix"
            ) from ex
        self._folder = str(PurePosixPath(path) / name)

    def newest(self) -> Saved | None:
        """Read the newest whole state; None if there is none.

        A state is not whole if its writer was killed in the middle.
        """
        for folder in self._folders():
            with suppress(FileNotFoundError, CheckpointError):
                return self._read(f"{folder}/{FILE_NAME}")
        return None

    def remove(self) -> None:
        """Remove all states, and all else that Ray wrote for this training."""
        with suppress(FileNotFoundError, OSError):
            self._files.delete_dir(self._folder)

    def _folders(self) -> list[str]:
        """List the folders of the states, the newest first."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._folder, allow_not_found=True)
        found = [
            info.path
            for info in self._files.get_file_info(selector)
            if info.base_name.startswith(_PREFIX)
        ]
        return sorted(found, reverse=True)

    def _read(self, path: str) -> Saved:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / FILE_NAME
            with self._files.open_input_stream(path) as stream, copy.open("wb") as file:
                while piece := stream.read(1 << 20):
                    file.write(piece)
            return read_saved(copy)
