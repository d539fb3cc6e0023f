"""A model's versions and signature in TensorFlow Serving's form."""

from types import SimpleNamespace

import numpy as np
import pytest

from runtime.backends import TensorSpec
from runtime.wire.tfs.datatypes import datatype_of, word_of
from runtime.wire.tfs.metadata import metadata_of, status_of


def test_the_states_of_versions_newest_first():
    assert status_of([(1, "it broke"), (2, "")]) == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            },
            {
                "version": "1",
                "state": "END",
                "status": {"error_code": "UNAVAILABLE", "error_message": "it broke"},
            },
        ]
    }


def test_the_signature():
    backend = SimpleNamespace(
        inputs=(TensorSpec("x", np.dtype(np.float32), (None, 4)),),
        outputs=(TensorSpec("y", np.dtype(object), ()),),
    )
    found = metadata_of("half", SimpleNamespace(backend=backend, version=123))
    # A real reply has these keys, the doubled one among them.
    assert found == {
        "model_spec": {"name": "half", "signature_name": "", "version": "123"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {
                            "x": {
                                "dtype": "DT_FLOAT",
                                "tensor_shape": {
                                    "dim": [
                                        {"size": "-1", "name": ""},
                                        {"size": "4", "name": ""},
                                    ],
                                    "unknown_rank": False,
                                },
                                "name": "x:0",
                            }
                        },
                        "outputs": {
                            "y": {
                                "dtype": "DT_STRING",
                                "tensor_shape": {"dim": [], "unknown_rank": False},
                                "name": "y:0",
                            }
                        },
                        "method_name": "tensorflow/serving/predict",
                    }
                }
            }
        },
    }


@pytest.mark.parametrize(
    ("dtype", "name", "word"),
    [
        (np.float16, "DT_HALF", "half"),
        (np.float64, "DT_DOUBLE", "double"),
        (np.uint8, "DT_UINT8", "uint8"),
        (np.bool_, "DT_BOOL", "bool"),
        ("<U3", "DT_STRING", "string"),
        (np.complex128, "DT_COMPLEX128", "complex128"),
        ("datetime64[s]", "DT_INVALID", "invalid"),
    ],
)
def test_the_names_of_types(dtype, name, word):
    assert datatype_of(np.dtype(dtype)) == name
    assert word_of(np.dtype(dtype)) == word
