"""Checks of a SavedModel: graphs, operators that save and load, and assets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from bundle.member_names import COMPONENT
from runtime.programs.graph import READING, WRITING, check_graph
from runtime.programs.reading import read, refusal
from runtime.programs.saver import check_saver
from runtime.programs.tensorflow_pb2 import AssetFileDef, MetaGraphDef, SavedModel
from runtime.programs.walk import walk

# TensorFlow's loader reads assets here where ``asset_file_def`` has none.
_ASSETS = "saved_model_assets"


def check_saved_model(path: Path) -> None:
    """Check a SavedModel.

    Fields that TensorFlow's definitions do not have are ignored, and TensorFlow ignores
    them too. The copies of the definitions come from the newest release that
    pyproject.toml allows; a test holds that.

    Args:
        path: the file ``saved_model.pb``.

    Raises:
        BundleError: it holds something that is not allowed, has assets elsewhere, or
            cannot be read.
    """
    for meta in read(path, SavedModel()).meta_graphs:
        check_meta_graph(meta, path.name)


def check_meta_graph(meta: MetaGraphDef, file: str) -> None:
    """Check one graph of a SavedModel. The check destroys the message.

    Args:
        meta: the graph with all its parts.
        file: the name of its file.

    Raises:
        BundleError: see ``check_saved_model``.
    """
    check_assets(meta, file)
    if check_graph(meta, file, WRITING | READING):
        check_saver(meta, file)


def check_assets(meta: MetaGraphDef, file: str) -> None:
    """Check that the assets, which a loader gives to a graph, are in the SavedModel.

    Raises:
        BundleError: an asset is elsewhere.
    """
    for asset in _assets(meta, file):
        parts = asset.filename.split("/")
        if not all(COMPONENT.fullmatch(part) for part in parts):
            raise refusal(
                file,
                f"the asset {asset.filename[:128]!r} is not a file of the SavedModel's"
                " folder 'assets'",
            )


def _assets(meta: MetaGraphDef, file: str) -> Iterator[AssetFileDef]:
    yield from walk(meta, AssetFileDef)
    collection = meta.collection_def.get(_ASSETS)
    for packed in collection.any_list.value if collection else ():
        try:
            yield AssetFileDef.FromString(packed.value)
        except DecodeError as ex:
            raise refusal(file, f"the collection {_ASSETS!r} cannot be read") from ex
