"""Make variants of a proved model.onnx: smaller numbers, each with its own proof.

A variant that is slower than model.onnx, or loses more than half a percentage point of
accuracy, is refused, because it would be worse than model.onnx.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bundle.errors import DomainError
from bundle.params import Params, Preprocess
from bundle.parity import Parity
from bundle.sample import RowSample, Sample
from bundle.tolerance import HALF
from bundle.variants import Variant, onnx_file
from exporter.errors import ExportError
from exporter.options import Options
from exporter.proof.draws import Lengths, Ranges, Traits
from exporter.proof.parity import prove
from exporter.proof.settling import settle
from exporter.variants.calibration import (
    Items,
    batch_size,
    drawn_items,
    read_items,
    sample_items,
)
from exporter.variants.trial import refusal_of, try_variant
from runtime.backends import Backend
from runtime.backends.onnx import open_onnx
from runtime.backends.options import BackendOptions

# The number of items in one run of the calibration. All results of a run are in memory.
CALIBRATION_BATCH = 8


@dataclass(frozen=True)
class Made:
    """A variant that was asked for.

    Attributes:
        variant: its name.
        path: its file in the scratch folder; there is no file if it could not be made.
        parity: its proof; None if it could not be made.
        refusal: the reason why it must not be published; empty if it may be.
    """

    variant: Variant
    path: Path
    parity: Parity | None = None
    refusal: str = ""


def make_variants(
    fp32: Path,
    reference: Backend,
    options: Options,
    sample: Sample | RowSample | None,
    params: Params | None,
    scratch: Path,
    saved_model: str = "",
    ranges: Ranges | None = None,
    traits: Traits | None = None,
    lengths: Lengths | None = None,
) -> list[Made]:
    """Make the variants that are asked for, and try them.

    Args:
        fp32: a proved model.onnx.
        reference: the backend that model.onnx was proved against.
        options: the variants to make, and the folder to calibrate int8 on.
        sample: the bundle's labelled images or its rows, if it has some.
        params: the bundle's params; None for a SavedModel alone.
        scratch: a folder to write into.
        saved_model: the digest of the reference, for the proofs.
        ranges: see ``exporter.proof.draws.draws``.
        traits: see there.
        lengths: see there.

    Returns:
        Each variant, published or refused; a refusal raises nothing here.
    """
    how = params.preprocess if params else Preprocess()
    output = params.output_node if params else ""
    maker = _Maker(
        fp32,
        reference,
        options.calibration,
        sample,
        how,
        output,
        ranges,
        traits,
        lengths,
    )
    return [maker.make(variant, scratch, saved_model) for variant in options.variants]


@dataclass(frozen=True)
class _Maker:
    fp32: Path
    reference: Backend
    folder: Path | None
    sample: Sample | RowSample | None
    how: Preprocess
    output_node: str
    ranges: Ranges | None
    traits: Traits | None
    lengths: Lengths | None

    def make(self, variant: Variant, scratch: Path, saved_model: str) -> Made:
        path = scratch / onnx_file(variant)
        try:
            calibration, items = self._items(variant)
            path.write_bytes(self._convert(variant, calibration or items))
            return self._prove(variant, path, calibration, items, saved_model)
        # The fault is only the variant's, because model.onnx is proved.
        except DomainError as ex:
            return Made(variant, path, None, f"{path.name} was not made: {ex}")

    def _items(self, variant: Variant) -> tuple[Items | None, Items]:
        """The items to calibrate int8 on, and the items to try the variant on."""
        specs = self.reference.inputs
        labelled = sample_items(specs, self.how, self.sample)
        given = read_items(self.folder, specs, self.how) if self.folder else None
        if variant == "fp16":
            return None, labelled or given or self._drawn()
        if given:
            calibration, others = given.part()
            return (given, labelled) if labelled else (calibration, others)
        if labelled:
            return labelled.part()
        raise ExportError(
            "int8 needs real inputs to take its ranges from, and there is neither"
            " sample.npz nor rows.npz; give --calibration FOLDER, of images, or of"
            " arrays by the names of the inputs"
        )

    def _drawn(self) -> Items:
        draws = settle(
            self.reference, self.how, None, self.ranges, self.traits, self.lengths
        )
        return drawn_items(self.reference.inputs, draws)

    def _convert(self, variant: Variant, seen: Items) -> bytes:
        # The imports stand here, so that a conversion without variants does not wait
        # for ONNX Runtime's quantization.
        from exporter.variants.fp16 import to_fp16
        from exporter.variants.int8 import to_int8

        size = batch_size(self.reference.inputs, CALIBRATION_BATCH)
        make = to_fp16 if variant == "fp16" else to_int8
        model = make(self.fp32, seen.batches(size))
        try:
            content: bytes = model.SerializeToString()
        except ValueError as ex:  # protobuf's limit is 2 GB
            raise ExportError("it is larger than 2 GB") from ex
        return content

    def _prove(
        self,
        variant: Variant,
        path: Path,
        calibration: Items | None,
        items: Items,
        saved_model: str,
    ) -> Made:
        # fp16 is for CUDA, and int8 is for the CPU, so CUDA does not matter for it.
        backends = BackendOptions(provider="auto" if variant == "fp16" else "cpu")
        candidate = open_onnx(path, backends)
        parity = prove(
            self.reference,
            candidate,
            path,
            self.how,
            self.sample,
            saved_model,
            self.ranges,
            self.traits,
            self.lengths,
            HALF,
        )
        names = [spec.name for spec in candidate.outputs]
        trial = try_variant(
            open_onnx(self.fp32, backends),
            candidate,
            items,
            main_output=self.output_node if self.output_node in names else names[0],
            for_cuda=variant == "fp16",
            calibrated_on=calibration.what if calibration else "",
        )
        refusal = refusal_of(trial, path.name)
        # For int8 the trial decides: the answers of 8 bits differ more, but may still
        # be right.
        if variant == "fp16" and not parity.passed:
            refusal = (
                f"{path.name} answers otherwise than TensorFlow: largest difference"
                f" {parity.max_abs_diff:.3g}"
            )
        parity = replace(parity, passed=not refusal, trial=trial)
        return Made(variant, path, parity, refusal)
