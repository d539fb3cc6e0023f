import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from runtime.config import (
    Config,
    ConfigError,
    config_from_json,
    key,
    load_config,
    load_settings,
    option,
    parse,
    variable,
)

# This is config.json of TFaaS's MNIST example (doc/MNIST.md), as its users have it.
SEED = {
    "port": 8083,
    "modelDir": "models",
    "staticDir": "static",
    "configProto": "",
    "base": "",
    "serverKey": "",
    "serverCrt": "",
    "verbose": 1,
}


def test_the_config_of_tfaas_example_is_read():
    config = config_from_json(SEED)
    assert (config.port, config.model_dir, config.verbose) == (8083, Path("models"), 1)


def test_every_other_key_of_tfaas_is_known():
    others = {"logFile": "", "cacheLimit": 3, "rate": "100-S", "monitRecord": True}
    assert config_from_json({**SEED, **others}).cache_limit == 3


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"thread": 4}, "unknown key 'thread', did you mean 'threads'?"),
        ({"Port": 1, "port": 2}, "'Port' and 'port' are one key; take one out"),
        ({"port": 1, "Port": 2}, "'port' and 'Port' are one key; take one out"),
        ({"Port": 1, "PORT": 1}, "'Port' and 'PORT' are one key; take one out"),
        ({"model_dir": "m"}, "unknown key 'model_dir', did you mean 'modelDir'?"),
        ({"zzz": 1}, "unknown key 'zzz'; there are port, host, grpcPort"),
        ({"port": "8083"}, "'port' must be a whole number"),
        ({"port": True}, "'port' must be a whole number"),
        ({"port": 70000}, "'port' is 70000; it must be 0 to 65535"),
        ({"onnx": "always"}, "'onnx' is 'always'; it must be one of prefer, require"),
        ({"provider": 1}, "'provider' must be a text"),
        ({"modelDir": ""}, "'modelDir' is empty"),
        (
            {"modelDir": "ftp://a/b"},
            "'modelDir' is a URL of no object store; there are",
        ),
        ({"modelDir": "s3://"}, "'modelDir' names no bucket, such as s3://bucket/mod"),
        ({"modelDir": "file://host/a"}, "'modelDir' must name a folder, such as"),
        ({"modelDir": "s3://key:secret@b"}, "'modelDir' has more than a place; cred"),
        ({"modelDir": "s3://b?key=1"}, "'modelDir' has more than a place; credentials"),
        ({"monitRecord": {}}, "'monitRecord' must be true or false"),
        ({"serverKey": "k.pem"}, "'serverKey' is set and 'serverCrt' is not"),
        ({"base": "/a b/{x}"}, "'base' is '/a b/{x}'; it must be a path of letters"),
        ({"modelDir": "a\0b"}, "'modelDir' holds a NUL character"),
        ({"serverCrt": "c.pem"}, "'serverCrt' is set and 'serverKey' is not"),
        ({"rate": "100"}, "'rate' is '100'; it must be a number and S, M, H or D"),
        ({"rate": "0-S"}, "'rate' is '0-S'"),
        ({"rate": 100}, "'rate' must be a text"),
        ({"accessLog": 1}, "'accessLog' must be true or false"),
        ({"logFormat": "xml"}, "'logFormat' is 'xml'; it must be one of plain, json"),
        ({"cacheLimit": -1}, "'cacheLimit' is -1; it must be 1 to"),
        ({"cacheLimit": False}, "'cacheLimit' must be a whole number"),
        ({"tokenHeader": ""}, "'tokenHeader' is ''; it must be a header's name"),
        ({"tokenHeader": "X_Token"}, "'tokenHeader' is 'X_Token'; it must be"),
        ({"tokenHeader": "X-Token: a"}, "'tokenHeader' is 'X-Token: a'; it must be"),
        ({"cacheBytes": 0}, "'cacheBytes' is 0; it must be 1 to"),
        ({"keepVersions": -1}, "'keepVersions' is -1; it must be 0 to"),
        ({"maxBatchSize": 0}, "'maxBatchSize' is 0; it must be 1 to 4096"),
        ({"workers": -1}, "'workers' is -1; it must be 0 to 1024"),
        ({"threads": 0}, "'threads' is 0; it must be 1 to 1024"),
        ({"maxBodyBytes": 1.5}, "'maxBodyBytes' must be a whole number"),
        ({"maxUploadBytes": None}, "'maxUploadBytes' must be a whole number"),
        ({"traffic": 10}, "'traffic' must be a JSON object"),
        ({"traffic": {"9": 1}}, "'traffic' has '9', which is no label's name"),
        ({"traffic": {"a": "1"}}, "'traffic' must give 'a' a number"),
        ({"traffic": {"a": True}}, "'traffic' must give 'a' a number"),
        ({"traffic": {"a": -1}}, "'traffic' gives 'a' -1 %; it must be 0 to 100"),
        ({"traffic": {"a": 60, "b": 50}}, "'traffic' gives more than 100 % in all"),
        ({"host": ""}, "'host' is empty; 0.0.0.0 listens on every address"),
        ({"shadow": "a/b"}, "'shadow' is 'a/b', which is no label's name"),
        ({"parityShare": "1"}, "'parityShare' must be a number, the percentage"),
        ({"parityShare": True}, "'parityShare' must be a number, the percentage"),
        ({"parityShare": 101}, "'parityShare' is 101 %; it must be 0 to 100"),
        ({"parityShare": -1}, "'parityShare' is -1 %; it must be 0 to 100"),
        ({"onParityFailure": "stop"}, "it must be one of warn, fallback"),
        ({"preload": "mnist"}, "'preload' must be a list of model names"),
        ({"preload": ["a/b"]}, "'preload' has 'a/b', which is no model's name"),
        ({"preload": [1]}, "'preload' must be a list of model names"),
        ({"models": {"a/b": {}}}, "'models' has 'a/b', which is no model's name"),
        ({"models": {"m": []}}, "'models' must give 'm' an object of settings"),
        ({"models": {"m": {"port": 1}}}, "'models' gives 'm' an unknown key 'port'"),
        (
            {"models": {"m": {"maxBatchSize": 0}}},
            "'models' gives 'm' a 'maxBatchSize' that is 0; it must be 1 to 4096",
        ),
        ({"models": []}, "'models' must be a JSON object, such as"),
        (
            {"writeTokens": "x"},
            "'writeTokens' must be a list of texts, each the SHA-256",
        ),
        ({"writeTokens": ["x"]}, "'writeTokens' holds a text that is no SHA-256"),
        ({"trustedProxies": "::1"}, "'trustedProxies' must be a list of addresses"),
        ({"trustedProxies": ["x"]}, "'trustedProxies' has 'x', which is no network"),
        (
            {"corsOrigins": "https://lab.example"},
            "'corsOrigins' must be a list of origins, such as",
        ),
        ({"corsOrigins": [1]}, "'corsOrigins' must be a list of origins, such as"),
        (
            {"corsOrigins": ["*", "https://lab.example"]},
            "'corsOrigins' has '*' beside others; '*' alone stands for all origins",
        ),
        ({"corsOrigins": ["null"]}, "'corsOrigins' has 'null', which is no single"),
        (
            {"corsOrigins": ["https://lab.example:443"]},
            "has 'https://lab.example:443'; write it without :443, as browsers do",
        ),
        ({"corsOrigins": ["http://[::1]:80"]}, "write it without :80"),
        ({"exportOnUpload": True}, "'exportOnUpload' must be a text"),
        ({"exportOnUpload": "on"}, "is 'on'; it must be one of auto, off"),
        ({"exportSeconds": 0}, "'exportSeconds' is 0; it must be 1 to 86400"),
        ({"exportBytes": 0}, "'exportBytes' is 0; it must be 1 to"),
        ({"verbose": 3}, "'verbose' is 3; it must be 0 to 2"),
    ],
)
def test_a_wrong_key_is_one_sentence_that_names_it(content, sentence):
    with pytest.raises(ConfigError) as caught:
        config_from_json(content)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "lab.example",
        "//lab.example",
        "https://",
        "https://lab.example/",
        "https://lab.example/app",
        "https://lab.example?a",
        "https://me@lab.example",
        "https://Lab.example",
        "https://*.lab.example",
        "https://bücher.example",
        "https://lab.example:",
        "https://lab.example:0443",
        "https://lab.example:65536",
        "https://lab.example\n",
        "https://a.example, https://b.example",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin):
    with pytest.raises(ConfigError) as caught:
        config_from_json({"corsOrigins": [origin]})
    shown = f"'corsOrigins' has {origin!r}, which is no origin as browsers send it"
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://lab.example",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://lab.example:80",
        "http://xn--bcher-kva.example:65535",
        "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
    ],
)
def test_an_origin_as_browsers_send_it_is_taken(origin):
    assert config_from_json({"corsOrigins": [origin]}).cors_origins == (origin,)


def test_a_deployed_config_of_tfaas_starts_with_warnings(tmp_path, monkeypatch):
    """These are keys of its versions before 2024, as its deployments have them."""
    content = {
        **SEED,
        "auth": "false",
        "logFormatter": "text",
        "updateDNs": 60,
        "cacheLimit": 0,
        "MonitRecord": True,
        "PORT": 1,
    }
    del content["port"]
    (tmp_path / "config.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    config = settings.config
    assert (config.port, config.cache_limit, config.monit_record) == (1, 10, True)
    assert settings.doubts == (
        "config.json: 'auth' has no effect: 'writeTokens' and 'predictTokens' say who"
        " may ask",
        "config.json: 'logFormatter' has no effect: 'logFormat' has the format of the"
        " log",
        "config.json: 'updateDNs' has no effect: clients show tokens here, and no"
        " certificates",
        "config.json: 'cacheLimit' is 0, which is taken as 10, as in TFaaS",
        "config.json: 'MonitRecord' is taken as 'monitRecord'; write it so",
        "config.json: 'PORT' is taken as 'port'; write it so",
    )


@pytest.mark.parametrize(
    ("written", "meant"), [("", ""), ("/", ""), ("tfaas", "/tfaas"), ("/a/b/", "/a/b")]
)
def test_base_begins_with_a_slash_and_ends_without(written, meant):
    assert config_from_json({"base": written}).base == meant


def test_the_working_folders_config_is_read(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"port": 1234}))
    monkeypatch.chdir(tmp_path)
    assert load_config({}).port == 1234


def test_tenths_of_a_percent_may_make_up_a_hundred():
    traffic = {"a": 66.4, "b": 0.9, "c": 32.7}
    # The order of the sum must not matter: Python 3.12 and later round once, at the
    # end.
    assert math.fsum(traffic.values()) > 100
    assert config_from_json({"traffic": traffic}).traffic == traffic


def test_a_variable_that_is_nested_too_deep_is_one_sentence():
    with pytest.raises(ConfigError, match="^.TFAAS_PORT must be a whole number"):
        load_settings({"TFAAS_PORT": "[" * 100_000})


def test_the_variable_names_another_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"port": 1234}))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"port": 4321}))
    assert load_config({"TFAAS_CONFIG": str(other)}).port == 4321


def test_without_any_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config({}) == Config()


@pytest.mark.parametrize("content", ["", "{", "[]", "nul", "[" * 100_000])
def test_a_file_that_is_no_json_object_is_one_sentence(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match="^config.json"):
        load_config({})


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        ('{"port": 1, "threads": 2, "port": 3}', "port"),
        ('{"models": {"m": {"batching": "on"}, "m": {}}}', "m"),
        ('{"traffic": {"canary": 10, "canary": 20}}', "canary"),
        ('{"port": 1, "\\u0070ort": 1}', "port"),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(folder, content, twice):
    (folder / "config.json").write_text(content)
    with pytest.raises(
        ConfigError, match=f"^config.json: '{twice}' stands there twice"
    ):
        load_config({})


def test_a_key_that_stands_twice_in_a_variable_is_refused(folder):
    with pytest.raises(ConfigError, match="^'traffic': 'a' stands there twice"):
        load_settings({"TFAAS_TRAFFIC": '{"a": 1, "a": 2}'})


def test_a_named_file_that_is_missing_is_an_error():
    with pytest.raises(ConfigError, match="TFAAS_CONFIG names /nowhere/config.json"):
        load_config({"TFAAS_CONFIG": "/nowhere/config.json"})


# -- variables and flags --------------------------------------------------------------

# Each key has a value here that is not its default, in three forms: text, JSON, Config.
DIGEST = "0123456789abcdef" * 4

OTHERS = {
    "port": ("0", 0, 0),
    "grpc_port": ("8001", 8001, 8001),
    "host": ("0.0.0.0", "0.0.0.0", "0.0.0.0"),
    "model_dir": ("m", "m", Path("m")),
    "object_cache_dir": ("c", "c", "c"),
    "object_cache_bytes": ("5", 5, 5),
    "object_poll_seconds": ("5", 5, 5),
    "object_max_age_seconds": ("5", 5, 5),
    "base": ("tfaas", "tfaas", "/tfaas"),
    "static_dir": ("s", "s", "s"),
    "config_proto": ("p", "p", "p"),
    "server_key": ("k.pem", "k.pem", "k.pem"),
    "server_crt": ("c.pem", "c.pem", "c.pem"),
    "rate": ("100-s", "100-s", "100-s"),
    "verbose": ("2", 2, 2),
    "log_file": ("log", "log", "log"),
    "log_format": ("json", "json", "json"),
    "access_log": ("false", False, False),
    "monit_record": ("1", True, True),
    "tracing": ("true", True, True),
    "cache_limit": ("3", 3, 3),
    "cache_bytes": ("1000", 1000, 1000),
    "keep_versions": ("0", 0, 0),
    "traffic": ('{"canary": 10}', {"canary": 10}, {"canary": 10.0}),
    "shadow": ("canary", "canary", "canary"),
    "parity_share": ("0.5", 0.5, 0.5),
    "on_parity_failure": ("fallback", "fallback", "fallback"),
    "drift": ("off", "off", "off"),
    "drift_seconds": ("600", 600, 600),
    "drift_items": ("100", 100, 100),
    "preload": ("a, b", ["a", "b"], ("a", "b")),
    "onnx": ("off", "off", "off"),
    "variant": ("fp16", "fp16", "fp16"),
    "provider": ("cpu", "cpu", "cpu"),
    "export_on_upload": ("off", "off", "off"),
    "export_seconds": ("60", 60, 60),
    "export_bytes": ("1000", 1000, 1000),
    "max_batch_size": ("64", 64, 64),
    "batching": ("on", "on", "on"),
    "max_queue": ("7", 7, 7),
    "max_queue_delay_us": ("100", 100, 100),
    "timeout_ms": ("250", 250, 250),
    "trial_seconds": ("7", 7, 7),
    "trial_bytes": ("4096", 4096, 4096),
    "walls": ("require", "require", "require"),
    "run_as_user": ("tfaas-models", "tfaas-models", "tfaas-models"),
    "trust_uploads": ("true", True, True),
    "write_tokens": (DIGEST, [DIGEST], (DIGEST,)),
    "write_tokens_file": ("w", "w", "w"),
    "predict_tokens": (f"{DIGEST}, {DIGEST}", [DIGEST, DIGEST], (DIGEST, DIGEST)),
    "predict_tokens_file": ("p", "p", "p"),
    "token_header": ("X-Token", "X-Token", "X-Token"),
    "trusted_proxies": (
        "::1, 10.0.0.0/8",
        ["::1", "10.0.0.0/8"],
        ("::1", "10.0.0.0/8"),
    ),
    "cors_origins": (
        "https://lab.example:8443, http://localhost",
        ["https://lab.example:8443", "http://localhost"],
        ("https://lab.example:8443", "http://localhost"),
    ),
    "drain_seconds": ("5", 5, 5),
    "intra_op_threads": ("2", 2, 2),
    "models": (
        '{"mnist": {"maxBatchSize": 8}}',
        {"mnist": {"maxBatchSize": 8}},
        {"mnist": {"max_batch_size": 8}},
    ),
    "workers": ("4", 4, 4),
    "threads": ("2", 2, 2),
    "max_body_bytes": ("5", 5, 5),
    "max_upload_bytes": ("6", 6, 6),
}
ALL = Config(**{name: value for name, (_, _, value) in OTHERS.items()})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_this_test_knows_every_key():
    assert set(OTHERS) ^ {f.name for f in fields(Config)} == set(), (
        "give the setting a row in OTHERS of this file"
    )
    assert all(getattr(ALL, name) != getattr(Config(), name) for name in OTHERS)


def test_every_key_can_be_set_in_the_file(folder):
    content = {key(name): value for name, (_, value, _) in OTHERS.items()}
    (folder / "config.json").write_text(json.dumps(content))
    settings = load_settings({})
    assert settings.config == ALL
    assert set(settings.sources.values()) == {"config.json"}


def test_every_key_can_be_set_by_a_variable(folder):
    environ = {variable(name): text for name, (text, _, _) in OTHERS.items()}
    settings = load_settings(environ)
    assert settings.config == ALL
    assert settings.sources["model_dir"] == "$TFAAS_MODEL_DIR"


def test_every_key_can_be_set_by_a_flag(folder):
    flags = {name: parse(name, text) for name, (text, _, _) in OTHERS.items()}
    settings = load_settings({}, flags)
    assert settings.config == ALL
    assert settings.sources["model_dir"] == "--model-dir"


def test_a_flag_goes_before_a_variable_and_that_before_the_file(folder):
    (folder / "config.json").write_text('{"port": 1, "threads": 1, "workers": 1}')
    environ = {"TFAAS_THREADS": "2", "TFAAS_WORKERS": "2"}
    settings = load_settings(environ, {"workers": 3})
    config = settings.config
    assert (config.port, config.threads, config.workers) == (1, 2, 3)
    assert dict(settings.sources) == {
        **{f.name: "default" for f in fields(Config)},
        "port": "config.json",
        "threads": "$TFAAS_THREADS",
        "workers": "--workers",
    }


def test_a_value_that_is_overridden_must_be_right_all_the_same(folder):
    (folder / "config.json").write_text('{"port": "x"}')
    with pytest.raises(ConfigError, match="^config.json: 'port' must be a whole"):
        load_settings({}, {"port": 1})


def test_key_and_certificate_may_come_from_two_places(folder):
    (folder / "config.json").write_text('{"serverKey": "k.pem"}')
    config = load_settings({"TFAAS_SERVER_CRT": "c.pem"}).config
    assert (config.server_key, config.server_crt) == ("k.pem", "c.pem")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("TFAAS_PORT", "x", "^[$]TFAAS_PORT must be a whole number"),
        ("TFAAS_PORT", "tcp", "^[$]TFAAS_PORT must be a whole number"),
        ("TFAAS_TRACING", "yes", "^[$]TFAAS_TRACING must be true or false"),
        ("TFAAS_TRAFFIC", "canary", "^[$]TFAAS_TRAFFIC must be a JSON object"),
        ("TFAAS_PRELOAD", "a/b", "^[$]TFAAS_PRELOAD has 'a/b'"),
        ("TFAAS_THREAD", "1", "[$]TFAAS_THREAD, did you mean 'TFAAS_THREADS'"),
        ("TFAAS_MODELDIR", "m", "did you mean 'TFAAS_MODEL_DIR'"),
    ],
)
def test_a_wrong_variable_is_one_sentence_that_names_it(folder, name, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        load_settings({name: text})


@pytest.mark.parametrize("service", ["TFAAS", "TFAAS_ONNX", "TFAAS_GRPC"])
def test_what_kubernetes_sets_beside_a_service_of_such_a_name_is_passed_over(
    folder, service
):
    """Kubernetes sets these in each container of a Service's namespace."""
    environ = {
        f"{service}_SERVICE_HOST": "10.0.0.11",
        f"{service}_SERVICE_PORT": "8083",
        f"{service}_SERVICE_PORT_HTTP": "8083",
        f"{service}_PORT": "tcp://10.0.0.11:8083",
        f"{service}_PORT_8083_TCP": "tcp://10.0.0.11:8083",
        f"{service}_PORT_8083_TCP_PROTO": "tcp",
        f"{service}_PORT_8083_TCP_PORT": "8083",
        f"{service}_PORT_8083_TCP_ADDR": "10.0.0.11",
    }
    assert load_settings(environ).config == Config()


def test_other_variables_are_nobodys_business(folder):
    assert load_settings({"PORT": "1", "tfaas_port": "2"}).config == Config()


def test_names_of_one_key():
    assert key("max_body_bytes") == "maxBodyBytes"
    assert variable("max_body_bytes") == "TFAAS_MAX_BODY_BYTES"
    assert option("max_body_bytes") == "--max-body-bytes"
