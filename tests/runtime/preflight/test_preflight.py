"""Impossible settings are refused, and doubtful ones are told."""

from dataclasses import replace
from pathlib import Path

import pytest

from bundle.store import ModelStore
from runtime.config import ConfigError
from runtime.preflight import check_config
from tests.bundle.making import write_bundle


def test_the_defaults_give_no_cause_for_doubt(config):
    assert check_config(config) == ()


GIB = 1 << 30


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"log_file": "/tmp"}, "'logFile' is /tmp, which is a folder; name files in"),
        ({"grpc_port": 8083}, "'grpcPort' and 'port' are both 8083"),
        ({"log_file": "models"}, "'logFile' is models, which is a folder"),
        ({"log_file": "logs/"}, "'logFile' is logs/, which is a folder"),
        ({"log_file": "no/log"}, "'logFile' is no/log, which cannot be written"),
        ({"trial_bytes": 1}, "'trialBytes' is 1, which is too little to try"),
        ({"export_bytes": 1 << 20}, "'exportBytes' is 1048576, which is too little"),
        ({"config_proto": "/etc/passwd"}, "/etc/passwd, which is no serialized"),
        ({"config_proto": "models"}, "'configProto' is models, which cannot be read"),
        ({"model_dir": Path("/proc/x")}, "/proc/x, which is not there and cannot be"),
        ({"model_dir": Path("/dev/null")}, "'modelDir' is /dev/null, which is not a"),
        ({"model_dir": Path("/dev/null/x")}, "'modelDir' is /dev/null/x, which is not"),
        ({"model_dir": Path("a" * 300)}, "is not there and cannot be made: File name"),
        ({"model_dir": Path("file/x/y")}, "not there and cannot be made: Not a dir"),
        (
            {"log_file": f"{'a' * 300}/log"},
            "cannot be written: there is no such folder",
        ),
        ({"model_dir": Path("dangling")}, "'modelDir' is dangling, which is not a"),
        ({"static_dir": "file"}, "'staticDir' is file, which is not a folder"),
        ({"feedback_dir": "file"}, "'feedbackDir' is file, which is not a folder"),
        ({"feedback_dir": "file/x"}, "'feedbackDir' is file/x, which is not there and"),
        ({"feedback_dir": "dangling"}, "'feedbackDir' is dangling, which is not a"),
        ({"feedback_dir": "/proc/x"}, "which is not there and cannot be made"),
        ({"feedback_dir": "models"}, "'modelDir' is models: one lies in the other"),
        ({"feedback_dir": "x/../models/y"}, "one lies in the other; name a folder"),
        ({"feedback_dir": "."}, "one lies in the other"),
        ({"feedback_dir": "static/images/x"}, "and 'staticDir' is static, whose files"),
        (
            {"feedback_dir": "kept", "static_dir": "kept/mnist"},
            "and 'staticDir' is kept/mnist, whose files everybody may read",
        ),
        ({"feedback_dir": "images", "static_dir": ""}, "and 'staticDir' is ., whose"),
        ({"feedback_dir": "kept", "static_dir": "links"}, "is links, whose files"),
        ({"feedback_dir": "kept/x", "static_dir": "links"}, "is links, whose files"),
        ({"write_tokens_file": "no"}, "'writeTokensFile': no cannot be read"),
        ({"predict_tokens_file": "file"}, "'predictTokensFile': file: line 1 is no"),
        ({"server_key": "no", "server_crt": "no"}, "'serverKey' is no, which cannot"),
        (
            {"server_key": "file", "server_crt": "file"},
            "must be a key without a password",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(config, changes, sentence):
    Path("file").write_text("some text\n")
    Path("dangling").symlink_to("nowhere")
    Path("links").mkdir()
    Path("links/images").symlink_to("../kept")
    with pytest.raises(ConfigError) as caught:
        check_config(replace(config, **changes))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({"static_dir": "no"}, ["'staticDir' is no, which is not there"]),
        ({"static_dir": "models"}, ["has none of the folders js, css, images"]),
        ({"model_dir": Path("typo")}, ["'modelDir' is typo, which is not there; the"]),
        ({"trial_bytes": 1 << 28}, ["'trialBytes' is 268435456: TensorFlow alone"]),
        ({"trial_seconds": 1}, ["'trialSeconds' is 1: TensorFlow's import alone"]),
        ({"export_seconds": 1}, ["'exportSeconds' is 1: TensorFlow's import alone"]),
        ({"export_bytes": 2 * GIB}, ["'exportBytes' is 2147483648: a conversion"]),
        (
            {"export_bytes": 1, "export_seconds": 1, "export_on_upload": "off"},
            [],
        ),
        ({"max_upload_bytes": 1000}, ["(1000) is less than 'maxBodyBytes' (33554432)"]),
        ({"cache_bytes": 1}, ["'cacheBytes' (1) is less than 'maxUploadBytes'"]),
        (
            {"timeout_ms": 5, "max_queue_delay_us": 5000},
            ["'maxQueueDelayUs' (5000) is no less than 'timeoutMs' (5)"],
        ),
        ({"timeout_ms": 0, "max_queue_delay_us": 5000}, []),
        ({"workers": 1024}, ["'workers' is 1024 on 2 cores: each holds its own copy"]),
        ({"workers": 8}, []),
        ({"intra_op_threads": 3}, ["'intraOpThreads' is 3 on 2 cores: threads of one"]),
        (
            {"preload": ("mnist", "m2"), "cache_limit": 1},
            ["'preload' names 2 models, but 'cacheLimit' keeps", "names 'm2'"],
        ),
        ({"preload": ("*",), "cache_limit": 1}, []),
        (
            {"traffic": {"canary": 10.0, "canry": 5.0}},
            ["'traffic' names the label 'canry', which no model has"],
        ),
        ({"feedback_dir": "kept"}, []),
        (
            {"feedback_dir": "kept", "feedback_bytes": 1000},
            ["'feedbackBytes' (1000) is less than 'maxBodyBytes' (33554432)"],
        ),
        ({"shadow": "canry"}, ["'shadow' is the label 'canry', which no model has"]),
        ({"preload": ("mnist", "mnst", "*")}, ["'preload' names 'mnst', which the"]),
        ({"models": {"mnst": {}}}, ["'models' names 'mnst', which the store does not"]),
        ({"onnx": "off", "variant": "int8"}, ["'variant' has no effect"]),
        (
            {"onnx": "off", "parity_share": 1.0},
            ["'parityShare' has no effect, because 'onnx' is off"],
        ),
        (
            {"on_parity_failure": "fallback"},
            ["'onParityFailure' has no effect, because 'parityShare' is 0"],
        ),
        (
            {"onnx": "require", "on_parity_failure": "fallback", "parity_share": 1.0},
            ["'onParityFailure' has no effect, because 'onnx' is require"],
        ),
        ({"on_parity_failure": "fallback", "parity_share": 1.0}, []),
        ({"onnx": "off", "provider": "cuda"}, ["'provider' has no effect"]),
        ({"trusted_proxies": ("0.0.0.0/0",)}, ["has 0.0.0.0/0, which is everybody"]),
        ({"trusted_proxies": ("::/0",)}, ["'trustedProxies' has ::/0, which is every"]),
        ({"trusted_proxies": ("10.0.0.0/8",)}, []),
        ({"cors_origins": ("*",)}, ["'corsOrigins' has '*', and there are no 'pred"]),
        ({"cors_origins": ("*",), "predict_tokens": ("0" * 64,)}, []),
        ({"cors_origins": ("https://lab.example",)}, []),
    ],
)
def test_what_may_be_meant_is_told(config, monkeypatch, changes, sentences):
    monkeypatch.setattr("runtime.preflight.numbers.usable_cores", lambda: 2)
    store = ModelStore(config.model_dir)
    store.install(write_bundle)
    store.set_label("mnist", "canary", 1)
    told = check_config(replace(config, **changes))
    assert len(told) == len(sentences)
    assert all(wanted in said for wanted, said in zip(sentences, told, strict=True))
