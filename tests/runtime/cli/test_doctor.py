"""``runtime doctor`` shows one page, or JSON, and tells by its exit code what stops."""

import json

import pytest
from click.testing import CliRunner

from runtime.cli import main

DIGEST = "ab" * 32


@pytest.fixture
def ask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFAAS_THREADS", "7")

    def ask(*arguments, **settings):
        if settings:
            (tmp_path / "config.json").write_text(json.dumps(settings))
        result = CliRunner().invoke(main, ["doctor", "--provider", "cpu", *arguments])
        return result.exit_code, result.output

    return ask


def test_the_page_shows_what_there_is_and_where_settings_come_from(ask):
    code, page = ask("--workers", "2", port=0, writeTokens=[DIGEST])
    assert code == 0, page
    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert [line for line in lines if line in {"machine", "engines", "settings"}] == [
        "machine",
        "engines",
        "settings",
    ]
    assert "port 0 (config.json)" in lines
    assert "threads 7 ($TFAAS_THREADS)" in lines
    assert "workers 2 (--workers)" in lines
    assert "writeTokens 1 digest (config.json)" in lines
    assert any(line.startswith("this makes 2 workers of 7 threads") for line in lines)
    assert "none the service would start and answer" in lines
    assert DIGEST not in page


def test_what_would_fail_is_the_exit_code(ask):
    code, page = ask(port=0, logFile="/")
    assert code == 1
    assert "stops" in page
    assert "'logFile' is /, which is a folder" in page


def test_settings_that_cannot_be_read_hide_no_machine(ask, tmp_path):
    (tmp_path / "config.json").write_text('{"prot": 1}')
    code, page = ask()
    assert code == 1
    assert "did you mean 'port'?" in page
    assert "memory" in page


def test_a_program_reads_the_same(ask):
    code, text = ask("--json", port=0, logFile="/", predictTokens=[DIGEST])
    told = json.loads(text)
    assert (code, told["fine"]) == (1, False)
    assert told["settings"]["port"] == {"value": 0, "source": "config.json"}
    assert told["settings"]["predictTokens"]["value"] == "1 digest"
    assert told["effective"]["threads"] == 7
    assert told["machine"]["usable_cores"] >= 1
    assert set(told["machine"]["disks"]) == {"modelDir", "logFile", "metrics"}
    assert told["engines"]["onnxruntime"]
    assert told["findings"][0]["stops"] is True
    assert DIGEST not in text
