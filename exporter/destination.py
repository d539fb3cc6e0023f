"""The place of an ONNX: beside its source, or as ``--output`` says."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundle.folder import ONNX, SAVED_MODEL
from bundle.params import FILE_NAME as PARAMS
from bundle.parity import FILE_NAME as PARITY
from bundle.parity import Parity, read_parity
from bundle.staging import locked, replace_files
from bundle.variants import DATA, VARIANTS, Variant, onnx_file, parity_file
from bundle.version import touch, version_of
from exporter.errors import ExportError, NoOnnx, OutputError, ParityFailed
from exporter.sources.source import Source
from exporter.variants import Made

# A service holds the folder's lock while it loads TensorFlow and the model. The export
# waits so long for it, because a conversion of minutes would be lost.
_PUBLISH_SECONDS = 300.0


@dataclass(frozen=True)
class Destination:
    """The files of one ONNX: the model, its weights if they are large, and its proof.

    Attributes:
        model: ``model.onnx``; ``--output`` may give it another name.
    """

    model: Path

    @property
    def folder(self) -> Path:
        """The folder of all three files."""
        return self.model.parent

    @property
    def data(self) -> Path:
        """The file of large weights; a model below 2 GB has none."""
        return self.model.with_name(self.model.name + DATA)

    @property
    def proof(self) -> Path:
        """``parity.json``; the proof of ``left.onnx`` is ``left.parity.json``."""
        for variant in VARIANTS:
            if self.model.name == onnx_file(variant):
                return self.model.with_name(parity_file(variant))
        return self.model.with_name(f"{self.model.stem}.{PARITY}")

    def of_variant(self, variant: Variant) -> Destination:
        """The place of a variant: ``model.int8.onnx``, or ``left.int8.onnx``."""
        if variant == "fp32":
            return self
        suffix = onnx_file(variant).removeprefix("model")
        return Destination(self.model.with_name(self.model.stem + suffix))

    def check_there(self) -> None:
        """Check that there is an ONNX.

        Raises:
            NoOnnx: there is none.
        """
        if not self.model.is_file():
            raise NoOnnx(f"there is no {self.model}; make it with: exporter convert")

    def read_proof(self) -> Parity | None:
        """Read the proof, if there is one.

        Raises:
            BundleError: the file is there and is no proof.
        """
        return read_parity(self.folder, self.proof.name)

    def prepare(self, source: Source) -> None:
        """Refuse before the work everything that would be refused after it.

        Raises:
            OutputError: a file lies there that must not be replaced, or the folder
                cannot be made or written.
        """
        place = self.folder
        while not place.exists() and place != place.parent:
            place = place.parent
        if place == self.folder and not place.is_dir():
            raise OutputError(
                f"{place} is neither a folder nor a file whose name ends in .onnx"
            )
        if not place.is_dir():
            raise OutputError(f"{self.folder} cannot be made: {place} is no folder")
        if not os.access(place, os.W_OK | os.X_OK):
            raise OutputError(
                f"{place} is not writable, and {self.model.name} belongs"
                f" {'there' if place == self.folder else 'below it'}"
            )
        is_beside = self.model.resolve() == beside(source).model.resolve()
        if is_beside and source.is_served:
            return
        is_own = is_beside and source.kind == "saved_model" and not source.bundle
        there = [f for f in (PARAMS, SAVED_MODEL) if (self.folder / f).is_file()]
        if there and self.model.name == ONNX and not is_own:
            raise OutputError(
                f"{self.folder} has a {there[0]}, and {ONNX} there would be taken for"
                f" the ONNX of that model and not of {source.name!r}; name another"
                " place with --output"
            )
        if not self.model.exists():
            return
        proof = self.read_proof()
        made_from = proof.source if proof else ""
        # The folder may have been copied or renamed together with its ONNX.
        if is_own and proof and proof.saved_model == source.digest():
            return
        if made_from != source.name and (made_from or not is_own):
            raise OutputError(
                f"{self.model} is there, and was not made from {source.name!r} but from"
                f" {made_from or 'something that is not noted'!r}; remove it, or name"
                " another file with --output"
            )

    def publish(
        self,
        source: Source,
        candidate: Path,
        parity: Parity,
        variants: Sequence[Made] = (),
    ) -> None:
        """Put a model and its proof in place: the proof first, the model last.

        If the process is killed in between, the model does not fit the proof beside it,
        and is not served.

        Args:
            source: the model was made from it.
            candidate: the model file, with its external data beside it.
            parity: the proof of the model.
            variants: variants of the model. A refused variant is removed if it was
                there.

        Raises:
            ExportError: the source changed after it was read.
            ParityFailed: the proof failed; no model is left, and the proof says why.
            OSError: a file cannot be written; nothing was changed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # The lock keeps other processes out. Two exports at a time would mix their
        # proofs and models, and a service that reads in between would find no proved
        # model.
        with locked(self.folder, seconds=_PUBLISH_SECONDS):
            # The bundle may have been replaced or trained again meanwhile. The proof
            # would then be of other weights.
            if source.digest() != parity.saved_model:
                raise ExportError(
                    "the bundle was replaced while it was converted; nothing was"
                    " written, convert it again"
                )
            self._sweep()
            proof = _to_json(parity)
            if not parity.passed:
                replace_files(self.folder, {self.proof.name: proof})
                self.model.unlink(missing_ok=True)
                self.data.unlink(missing_ok=True)
                raise ParityFailed(parity)
            data = candidate.with_name(candidate.name + DATA)
            contents: dict[str, bytes | Path] = {self.proof.name: proof}
            for made in variants:
                place = self.of_variant(made.variant)
                if made.refusal or made.parity is None:
                    place.model.unlink(missing_ok=True)
                    place.proof.unlink(missing_ok=True)
                else:
                    # The proof is written before its file: a file without its proof is
                    # not served.
                    contents[place.proof.name] = _to_json(made.parity)
                    contents[place.model.name] = made.path
            if data.exists():
                contents[self.data.name] = data
            replace_files(self.folder, {**contents, self.model.name: candidate})
            if not data.exists():
                self.data.unlink(missing_ok=True)
        if version := version_of(self.folder):
            touch(version.parent)

    def _sweep(self) -> None:
        """Remove the temporary files that a killed export left."""
        places = [self.of_variant(variant) for variant in VARIANTS]
        for name in (n for p in places for n in (p.proof.name, p.model.name)):
            for left in self.folder.glob(f".{glob.escape(name)}.*"):
                left.unlink()


def _to_json(parity: Parity) -> bytes:
    return (json.dumps(parity.to_json(), indent=2) + "\n").encode()


def beside(source: Source) -> Destination:
    """The place ``model.onnx`` in the source's folder."""
    return Destination(source.folder / ONNX)


def destination_of(source: Source, output: Path | None) -> Destination:
    """The place that ``--output`` names.

    Args:
        source: the model to convert.
        output: a file whose name ends in ``.onnx``, or a folder; None is the source's
            own folder.
    """
    if output is None:
        return beside(source)
    is_file = output.suffix == ".onnx" and not output.is_dir()
    return Destination(output if is_file else output / ONNX)
