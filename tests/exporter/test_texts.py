"""A model of numbers and texts is converted, proved, and answers as summed by hand."""

import numpy as np
import pytest

from exporter.options import Options
from tests.mixed import ANSWERS, COLUMNS, mixed_keras

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the outcome of a conversion, and the folder with its files."""
    from exporter.conversion import Order, convert_and_prove
    from exporter.sources.source import open_source

    folder = tmp_path_factory.mktemp("mixed")
    mixed_keras().export(folder / "saved", verbose=False)
    options = Options(fp16=True, int8=True)
    order = Order(open_source(folder / "saved"), options, folder / "model.onnx")
    return convert_and_prove(order, lambda step: None), folder


def test_the_proof_names_the_texts_that_it_draws(made):
    parity = made[0].parity
    assert parity.passed
    assert parity.max_abs_diff == 0
    assert {case.inputs for case in parity.cases} >= {
        "random",
        "texts out of vocabulary",
    }


def test_the_onnx_answers_known_unknown_and_empty_texts(made):
    from runtime.backends.onnx import open_onnx
    from runtime.backends.options import BackendOptions

    for file in ("model.onnx", "model.fp16.onnx"):
        backend = open_onnx(made[1] / file, BackendOptions(provider="cpu"))
        (scores,) = backend.run(COLUMNS).values()
        np.testing.assert_array_equal(scores, ANSWERS)


def test_its_operators_may_be_uploaded(made):
    from runtime.programs import check_onnx

    check_onnx(made[1] / "model.onnx", trusted=False)


def test_int8_asks_for_inputs(made):
    fp16, int8 = made[0].variants
    assert (fp16.refusal, int8.parity) == ("", None)
    assert "give --calibration FOLDER" in int8.refusal
