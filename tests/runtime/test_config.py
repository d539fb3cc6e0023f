import json
from pathlib import Path

import pytest

from runtime.config import Config, ConfigError, config_from_json, load_config

# config.json of TFaaS's MNIST example (doc/MNIST.md), as its users have it.
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
        ({"modeldir": "m"}, "unknown key 'modeldir', did you mean 'modelDir'?"),
        ({"zzz": 1}, "unknown key 'zzz'; there are port, host, modelDir"),
        ({"port": "8083"}, "'port' must be a whole number"),
        ({"port": True}, "'port' must be a whole number"),
        ({"port": 70000}, "'port' is 70000; it must be 0 to 65535"),
        ({"onnx": "always"}, "'onnx' is 'always'; it must be one of prefer, require"),
        ({"provider": 1}, "'provider' must be a text"),
        ({"modelDir": ""}, "'modelDir' is empty"),
        ({"monitRecord": {}}, "'monitRecord' must be true or false"),
        ({"serverKey": "k.pem"}, "'serverKey' is set and 'serverCrt' is not"),
        ({"base": "/a b/{x}"}, "'base' is '/a b/{x}'; it must be a path of letters"),
        ({"modelDir": "a\0b"}, "'modelDir' holds a NUL character"),
    ],
)
def test_a_wrong_key_is_one_sentence_that_names_it(content, sentence):
    with pytest.raises(ConfigError) as caught:
        config_from_json(content)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"), [("", ""), ("/", ""), ("tfaas", "/tfaas"), ("/a/b/", "/a/b")]
)
def test_base_begins_with_a_slash_and_ends_without(written, meant):
    assert config_from_json({"base": written}).base == meant


def test_the_working_folders_config_is_read(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"port": 1234}))
    monkeypatch.chdir(tmp_path)
    assert load_config({}).port == 1234


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


def test_a_named_file_that_is_missing_is_an_error():
    with pytest.raises(ConfigError, match="TFAAS_CONFIG names /nowhere/config.json"):
        load_config({"TFAAS_CONFIG": "/nowhere/config.json"})
