"""Find a source: a stored model, a bundle, a SavedModel, a Keras file, or a graph.

Its kind is found here without TensorFlow; ``reference.py`` then loads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bundle.bare import folder_name
from bundle.errors import ModelNotFound
from bundle.folder import SAVED_MODEL, SIGNATURE, Bundle, open_bundle
from bundle.manifest import sha256_of, source_digest
from bundle.model_file import KERAS, is_saved_model
from bundle.objects.address import Place, cache_of
from bundle.objects.opening import open_store
from bundle.params import FILE_NAME as PARAMS
from bundle.spec import read_spec
from bundle.version import model_folder, version_of
from bundle.versioned import newest_version
from exporter.errors import SourceError

Kind = Literal["saved_model", "frozen_graph", "keras"]


@dataclass(frozen=True)
class Source:
    """A TensorFlow or Keras model on disk.

    Attributes:
        kind: the way in which it is loaded.
        graph: ``saved_model.pb``, a frozen graph, or a Keras file.
        bundle: the bundle that it belongs to; None if it belongs to none.
        signature: the signature of a SavedModel to convert.
        inputs: the input nodes of a frozen graph.
        outputs: the output nodes of a frozen graph.
        declared: inputs by name, each with the least and the greatest number that it
            takes, as far as somebody said.
        trusted: all of its operators may run, also those that reach files and the
            network.
        given_shapes: inputs by name, each with the shape that somebody gave.
        url: the object store of which this is a copy; empty if it is none.
    """

    kind: Kind
    graph: Path
    bundle: Bundle | None = None
    signature: str = SIGNATURE
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    declared: tuple[tuple[str, float, float], ...] = ()
    trusted: bool = False
    given_shapes: tuple[tuple[str, tuple[int | None, ...]], ...] = ()
    url: str = ""

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """The shapes that were given, by the inputs' names; None is a free axis."""
        return dict(self.given_shapes)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges of params.json, replaced by those that were declared by hand."""
        by_hand = {name: (low, high) for name, low, high in self.declared}
        return {**(self.bundle.params.ranges if self.bundle else {}), **by_hand}

    @property
    def version(self) -> int | None:
        """The number of the version, if it lies in a store as ``<name>/<number>``."""
        version = version_of(self.folder) if self.bundle is not None else None
        return int(version.name) if version else None

    @property
    def folder(self) -> Path:
        """The folder of the source."""
        return self.graph.parent

    @property
    def given(self) -> Path:
        """The path that people give: the file, if its folder may hold other models."""
        is_folder = self.bundle is not None or self.kind == "saved_model"
        return self.folder if is_folder else self.graph

    @property
    def is_served(self) -> bool:
        """Whether the service serves this source, with the model.onnx beside it."""
        return self.bundle is not None and self.signature == SIGNATURE

    @property
    def name(self) -> str:
        """The name in a proof: no path, and a different name for a different part."""
        if self.bundle is not None:
            name = self.bundle.params.name
        elif self.kind == "saved_model":
            # A folder of versions is named as its model: NAME/1 is NAME.
            name = folder_name(self.folder.resolve())
        else:
            return " ".join([self.graph.name, *self.inputs, *self.outputs])
        return name if self.signature == SIGNATURE else f"{name} {self.signature}"

    def digest(self) -> str:
        """The sha256 of the graph, the weights, and the name of the part that is run.

        Raises:
            OSError: a file cannot be read.
        """
        if self.kind == "keras":
            return sha256_of(self.graph)
        if self.kind == "frozen_graph":
            return source_digest(self.graph, (*self.inputs, *self.outputs))
        part = () if self.signature == SIGNATURE else (self.signature,)
        return source_digest(self.graph, part)


def find_source(
    given: str,
    models_dir: Place,
    *,
    signature: str = "",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    declared: Sequence[tuple[str, float, float]] = (),
    trusted: bool = False,
    shapes: Sequence[tuple[str, tuple[int | None, ...]]] = (),
) -> Source:
    """Find the given model: a model of the store, or else a path.

    Args:
        given: NAME (its newest version), NAME:VERSION, NAME@LABEL or a path.
        models_dir: the store.
        signature: the signature of a SavedModel; empty is the one that is served.
        inputs: the input nodes of a frozen graph.
        outputs: the output nodes of a frozen graph.
        declared: see ``Source``.
        trusted: see ``Source``.
        shapes: the shapes of inputs; see ``Source.given_shapes``.

    Raises:
        ModelNotFound: there is no such model or path.
        SourceError: it is no model, or the other arguments do not fit it.
        BundleError: it is a bundle that is not whole.
    """
    path = find_path(given, models_dir)
    with _readable(path):
        source = open_source(path, signature, inputs, outputs)
        source.graph.open("rb").close()
    if signature and source.kind != "saved_model":
        raise SourceError(f"{path} has no signatures: --signature needs a SavedModel")
    if (inputs or outputs) and (source.bundle or source.kind != "frozen_graph"):
        raise SourceError(
            f"{path} names its inputs and outputs itself: --inputs and --outputs need a"
            " frozen graph without params.json"
        )
    return replace(
        source,
        declared=tuple(declared),
        trusted=trusted,
        given_shapes=tuple(shapes),
        url=_url_of(path, models_dir),
    )


def _url_of(path: Path, place: Place) -> str:
    is_copy = isinstance(place, str) and path.is_relative_to(cache_of(place))
    return str(place) if is_copy else ""


def share(source: Source) -> None:
    """Give the files that were added beside a copy to its object store, for all.

    They become a new manifest of the version.

    Raises:
        StoreError: the object store does not answer, or does not take them.
        ModelNotFound: the version was deleted there meanwhile.
    """
    version = version_of(source.folder)
    if source.url and version:
        store = open_store(source.url)
        store.share(store.version(version.parent.name, int(version.name)))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Name the path in the sentence, if the file system refuses it."""
    try:
        yield
    except OSError as ex:
        raise SourceError(f"{path} cannot be read: {ex.strerror}") from ex


def find_path(given: str, models_dir: Place) -> Path:
    """The folder of a stored model, or else the path itself.

    If the path is a folder of versions, as TensorFlow Serving has it, the newest
    version is taken.

    Raises:
        ModelNotFound: there is no such model or path; the sentence lists the store's
            models.
        SourceError: the file system refuses the path.
    """
    spec = read_spec(given)
    # An object store is asked only for what may be a model of it.
    store = open_store(models_dir) if spec or isinstance(models_dir, Path) else None
    if store and spec and store.versions(spec.name):
        if spec.is_pinned:
            return store.find(spec.name, spec.version, spec.label).path
        return store.newest(spec.name).path
    with _readable(Path(given)):
        if Path(given).is_dir():
            return model_folder(newest_version(Path(given)) or Path(given))
        if Path(given).exists():
            return Path(given)
    raise ModelNotFound(
        f"there is no model {given!r} in {models_dir}/ and no file or folder of this"
        f" name; the store has {', '.join(store.names() if store else ()) or 'none'}"
    )


def open_source(
    path: Path,
    signature: str = "",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> Source:
    """Find the kind of a path; see ``find_source``.

    Raises:
        SourceError: it is no model.
        BundleError: it is a bundle that is not whole.
    """
    if path.is_dir():
        return _open_folder(path, signature or SIGNATURE)
    if path.suffix.lower() in KERAS:
        return Source("keras", path)
    if path.suffix.lower() != ".pb":
        raise SourceError(
            f"{path} is no model that can be converted: give a bundle, a SavedModel's"
            f" folder, a Keras file ({', '.join(KERAS)}) or a frozen graph (.pb)"
        )
    if (path.parent / PARAMS).is_file() and not inputs and not outputs:
        bundle = open_bundle(path.parent)
        if bundle.tensorflow_model == path:
            return _of_bundle(bundle, signature or SIGNATURE)
    if is_saved_model(path):
        return Source("saved_model", path, signature=signature or SIGNATURE)
    return Source("frozen_graph", path, inputs=tuple(inputs), outputs=tuple(outputs))


def _open_folder(folder: Path, signature: str) -> Source:
    if (folder / PARAMS).is_file():
        return _of_bundle(open_bundle(folder), signature)
    if (folder / SAVED_MODEL).is_file():
        return Source("saved_model", folder / SAVED_MODEL, signature=signature)
    endings = (*KERAS, ".pb")
    files = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in endings)
    raise SourceError(
        f"{folder} is neither a bundle nor a SavedModel: it has no {SAVED_MODEL}"
        + (f"; it has {', '.join(files)}: give that file" if len(files) == 1 else "")
        + (f"; it has {', '.join(files)}: give one of them" if len(files) > 1 else "")
    )


def _of_bundle(bundle: Bundle, signature: str) -> Source:
    graph = bundle.tensorflow_model
    if graph is None:
        raise SourceError(
            f"{SAVED_MODEL} is missing in {bundle.path}: there is nothing to convert"
        )
    if bundle.frozen_graph is None:
        return Source("saved_model", graph, bundle, signature)
    node_in, node_out = bundle.nodes
    return Source("frozen_graph", graph, bundle, SIGNATURE, (node_in,), (node_out,))
