"""Tables show models to people: one line for each model, version or fact."""

import numpy as np
import pytest

from runtime.cli.table import (
    print_model,
    print_models,
    print_predictions,
    print_status,
    print_version,
)
from tfaas_onnx import ImagePrediction

READY = {"backend": "onnxruntime", "device": "CPUExecutionProvider"}


@pytest.fixture
def printed(capsys):
    """Return a function that gives the printed lines, columns one space apart."""

    def printed(show, description):
        show(description)
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return printed


def test_a_model_is_a_line(printed):
    model = {
        "name": "mnist",
        "serves": 7,
        "versions": [1, 2, 3, 5, 7, 8],
        "labels": "labels.txt",
        "version_labels": {"stable": 7, "canary": 8},
        **READY,
    }
    assert printed(print_models, [model, {"name": "broken", "error": "no params"}]) == [
        "name serves versions labels backend state",
        "mnist 7 1-3, 5, 7-8 stable=7, canary=8 onnxruntime/CPUExecutionProvider ready",
        "broken broken: no params",
    ]


def test_a_store_without_models_has_the_heading_alone(printed):
    assert printed(print_models, []) == ["name serves versions labels backend state"]


@pytest.mark.parametrize(
    ("description", "state"),
    [
        ({"error": "params.json is not JSON", **READY}, "broken: params.json is not"),
        ({"backend": None, "fallback_reason": "x"}, "loaded on first use"),
        ({**READY, "fallback_reason": "unproved"}, "ready, fallback: unproved"),
        ({**READY, "variant_reason": "no int8"}, "ready, not the variant: no int8"),
        ({**READY, "warm_up": "not warmed"}, "ready, not warmed"),
        ({**READY, "fallback_reason": "a", "warm_up": "b"}, "ready, fallback: a"),
        (READY, "ready"),
    ],
)
def test_the_state_says_first_what_matters_most(printed, description, state):
    version = {"name": "mnist", "version": 1, "bytes": 0, **description}
    lines = printed(print_version, version)
    assert lines[1].startswith(f"state {state}")


def test_versions_of_a_model_are_lines(printed):
    versions = [
        {"version": 1, "labels": ["stable", "old"], "bytes": 1234567, **READY},
        {"version": 2, "timestamp": "2026-01-02T03:04:05+00:00", "bytes": 8},
    ]
    assert printed(print_model, {"versions": versions}) == [
        "version labels published bytes backend state",
        "1 stable, old 1,234,567 onnxruntime/CPUExecutionProvider ready",
        "2 2026-01-02T03:04:05+00:00 8 loaded on first use",
    ]


def test_all_that_is_known_of_a_version_is_a_line_each(printed):
    version = {
        "name": "mnist",
        "version": 3,
        "labels": ["stable"],
        "timestamp": "2026-01-02T03:04:05+00:00",
        **READY,
        "proved": True,
        "parity": {"passed": True},
        "variant": "fp32",
        "conversion": "onnx (parity 0)",
        "sample": {"images": 10, "right": 9},
        "inputs": [{"name": "pixels", "dtype": "float32", "shape": [None, 28, 28, 1]}],
        "outputs": [
            {"name": "a", "dtype": "float32", "shape": [None, 10]},
            {"name": "b", "dtype": "int64", "shape": []},
        ],
        "classes": ["zero", "one"],
        "bytes": 12345,
        "files": [{"name": "model.onnx", "bytes": 12300}, {"name": "x", "bytes": 45}],
    }
    assert printed(print_version, version) == [
        "version mnist:3",
        "labels stable",
        "published 2026-01-02T03:04:05+00:00",
        "state ready",
        "backend onnxruntime/CPUExecutionProvider",
        "ONNX proved yes",
        "parity passed",
        "variant fp32",
        "conversion onnx (parity 0)",
        "sample 9 of 10 right",
        "inputs pixels float32 (N, 28, 28, 1)",
        "outputs a float32 (N, 10), b int64 ()",
        "classes zero, one",
        "files 12,345 bytes",
        "model.onnx 12,300",
        "x 45",
    ]


def test_what_is_not_known_of_a_version_is_left_out(printed):
    version = {"name": "mnist", "version": 3, "bytes": 0, "proved": None}
    assert printed(print_version, version) == [
        "version mnist:3",
        "state loaded on first use",
        "files 0 bytes",
    ]


def test_a_proof_that_failed_is_shouted(printed):
    version = {"name": "m", "version": 1, "bytes": 0, **READY}
    lines = printed(
        print_version, {**version, "proved": False, "parity": {"passed": False}}
    )
    assert {"ONNX proved no", "parity FAILED"} < set(lines)


def test_a_name_from_elsewhere_moves_no_cursor(printed):
    lines = printed(print_models, [{"name": "m\x1b[2J\nx", "versions": [4]}])
    assert lines[1:] == ["m\ufffd[2J x 4 loaded on first use"]


def test_a_pipe_gets_long_lines_whole(printed):
    lines = printed(print_models, [{"name": "m", "error": "so " * 200 + "it is"}])
    assert lines[1:] == ["m broken: " + "so " * 200 + "it is"]


def test_a_server_that_tells_little_of_itself_is_shown(capsys):
    print_status("http://service", {"ready": False})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [["server", "http://service"], ["ready", "no"]]


def test_a_server_is_a_line_a_fact(printed):
    status = {
        "ready": True,
        "version": "1.2",
        "Uptime": 61,
        "workers": 2,
        "threads": 8,
        "cpus": 4,
        "Load": {"load1": 0.5},
        "Memory": {"Virtual": {"total": 16e9, "usedPercent": 41.2}},
        "getRequests": 3,
        "postRequests": 4,
        "models": ["a:1", "b:2"],
        "onnxruntime": "1.27",
        "providers": ["CUDAExecutionProvider", "CPUExecutionProvider"],
        "walls": {"policy": "auto", "missing": ["landlock"]},
    }
    shown = printed(lambda told: print_status("http://service", told), status)
    assert shown == [
        "server http://service",
        "ready yes",
        "version 1.2",
        "up 1m",
        "workers 2",
        "threads 8",
        "cores 4",
        "load 0.50",
        "memory 41% of 16GB",
        "requests 3 GET, 4 POST",
        "models a:1, b:2",
        "onnxruntime 1.27",
        "providers CUDAExecutionProvider, CPUExecutionProvider",
        "walls auto",
        "missing walls landlock",
    ]


def test_a_prediction_has_a_line_a_class(printed):
    answer = ImagePrediction(
        ("one", "two\x1b[2J"), np.array([0.98765, 0.01]), "onnxruntime/CPU", 1, "abc"
    )
    none = ImagePrediction((), np.array([]), "onnxruntime/CPU", 1, "abc")
    shown = printed(print_predictions, [("a.png", answer), ("b.png", none)])
    assert shown == [
        "picture label probability",
        "a.png one 0.9877",
        "two\N{REPLACEMENT CHARACTER}[2J 0.0100",
    ]
