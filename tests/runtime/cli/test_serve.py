import json
from dataclasses import fields

import pytest
from click.testing import CliRunner

from bundle import __version__
from runtime.cli import main
from runtime.config import Config, option


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that runs `runtime serve` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("TFAAS_CONFIG", "TFAAS_PORT"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments, **options: CliRunner().invoke(
        main, ["serve", *arguments], **options
    )


def shown(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_key_is_a_flag_with_its_line_and_default_in_the_help(serve):
    text = " ".join(serve("--help", env={"COLUMNS": "200"}).output.split())
    for field in fields(Config):
        assert option(field.name) in text
        assert field.metadata["what"] in text
    assert "[8083]" in text
    assert "[1073741824]" in text


def test_settings_are_shown_with_their_sources(serve, tmp_path):
    (tmp_path / "config.json").write_text('{"threads": 3}')
    settings = shown(
        serve(
            "--print-config",
            "--json",
            "--workers=2",
            "--no-access-log",
            "--traffic",
            '{"canary": 10}',
            "--preload=a,b",
            env={"TFAAS_PORT": "99"},
        )
    )
    assert settings["threads"] == {"value": 3, "source": "config.json"}
    assert settings["workers"] == {"value": 2, "source": "--workers"}
    assert settings["accessLog"] == {"value": False, "source": "--access-log"}
    assert settings["traffic"]["value"] == {"canary": 10}
    assert settings["preload"]["value"] == ["a", "b"]
    assert settings["port"] == {"value": 99, "source": "$TFAAS_PORT"}
    assert settings["modelDir"] == {"value": "models", "source": "default"}
    assert len(settings) == len(fields(Config))


def test_what_is_shown_as_json_is_a_config(serve, tmp_path):
    settings = shown(serve("--print-config", "--json", "--port=7"))
    values = {name: setting["value"] for name, setting in settings.items()}
    (tmp_path / "config.json").write_text(json.dumps(values))
    again = shown(serve("--print-config", "--json"))
    assert {name: setting["value"] for name, setting in again.items()} == values


def test_settings_that_cannot_work_are_shown_and_refused(serve):
    result = serve("--print-config", "--json", "--log-file", "/tmp")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["logFile"]["source"] == "--log-file"
    assert "'logFile' is /tmp, which is a folder" in result.stderr


def test_settings_that_may_be_meant_are_shown_with_a_warning(serve):
    result = serve("--print-config", "--json", "--static-dir", "nowhere")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["staticDir"]["value"] == "nowhere"
    assert result.stderr == (
        "warning: 'staticDir' is nowhere, which is not there; /js, /css and /images"
        " will be 404\n"
    )


def test_keys_of_tfaas_without_effect_are_shown_with_a_warning(serve, tmp_path):
    (tmp_path / "config.json").write_text('{"auth": "true"}')
    result = serve("--print-config", "--json")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: config.json: 'auth' has no effect: 'writeTokens' and 'predictTokens'"
        " say who may ask\n"
    )


@pytest.mark.parametrize("flag", ["--config", "-config"])
def test_the_file_of_the_settings_may_be_named(serve, tmp_path, flag):
    (tmp_path / "config.json").write_text('{"port": 1}')
    (tmp_path / "tfaas.json").write_text('{"port": 2}')
    other = {"TFAAS_CONFIG": "config.json"}
    for options in ({}, {"env": other}):
        settings = shown(
            serve("--print-config", "--json", flag, "tfaas.json", **options)
        )
        assert settings["port"] == {"value": 2, "source": "tfaas.json"}
    result = serve(flag, "nosuch.json")
    assert result.exit_code == 2
    assert "--config names nosuch.json, which is not there" in result.output


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_the_version_is_told(serve, flag):
    for result in (serve(flag), CliRunner().invoke(main, [flag])):
        assert result.exit_code == 0
        assert result.output == f"runtime, version {__version__}\n"


def test_people_get_a_table(serve):
    output = serve("--print-config", "--host=[::1]", "--traffic", '{"a": 1}').output
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines()}
    assert rows["host"] == ["[::1]", "--host"]
    assert rows["traffic"] == ['{"a":', "1.0}", "--traffic"]
    assert rows["base"] == ["default"]


def test_the_original_name_of_the_stores_flag_is_kept(serve):
    for flag in ("--models-dir", "--model-dir"):
        settings = shown(serve("--print-config", "--json", flag, "elsewhere"))
        assert settings["modelDir"]["value"] == "elsewhere"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "x"], "--port must be a whole number"),
        (["--port", "70000"], "--port is 70000; it must be 0 to 65535"),
        (["--onnx", "never"], "--onnx is 'never'; it must be one of prefer"),
        (["--server-key", "k"], "'serverKey' is set and 'serverCrt' is not"),
        (["--prot", "1"], "No such option '--prot'"),
        (["--json"], "--json needs --print-config"),
    ],
)
def test_a_wrong_flag_is_one_sentence(serve, arguments, sentence):
    result = serve(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output
