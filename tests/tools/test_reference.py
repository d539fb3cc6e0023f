"""The reference pages say what the code says, and leave nothing out."""

import re
import tomllib
from dataclasses import fields
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from bundle import staging, trash
from bundle.errors import DomainError
from bundle.params import Params
from bundle.params_checks import params_from_json
from bundle.terminal import Group
from bundle.variants import EXPORTED
from exporter.errors import ExportError
from runtime.backends.proof import FallbackCode
from runtime.cli.models import models
from runtime.config import Config, config_from_json, key, load_settings
from runtime.conversion import conversions
from runtime.conversion.converter import Outcome
from runtime.http.errors import STATUS
from tools.reference import commands, errors, metrics
from tools.reference.pages import FOLDER, ROOT, arguments, pages, renewed

# The first cell of a table's row holds the code.
ROW = re.compile(r"^\| (?:&emsp;)*`([^`]+)`.*$", re.MULTILINE)


def rows_of(page):
    return {row[1]: row[0] for row in ROW.finditer((FOLDER / page).read_text())}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_no_page_is_stale(page):
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run `make docs`"


def test_a_marker_of_no_known_block_is_an_error():
    with pytest.raises(KeyError):
        renewed("<!-- generated: moods -->\n<!-- end of generated -->\n")
    with pytest.raises(KeyError):
        renewed("<!-- generated: config mood -->\n<!-- end of generated -->\n")


def test_what_is_written_by_hand_stays():
    marked = "<!-- generated: config port -->\nold\n<!-- end of generated -->"
    made = renewed(f"Before.\n{marked}\nAfter.")
    assert made.startswith("Before.\n<!-- generated: config port -->\n")
    assert made.endswith("<!-- end of generated -->\nAfter.")
    assert "old" not in made
    assert (
        "| `port` | whole number, 0 to 65,535 | `8083` | `TFAAS_PORT`, `--port` |"
        in made
    )


def test_each_key_of_the_config_stands_there_once():
    listed = arguments((FOLDER / "config.md").read_text(), "config")
    todo = (
        "name the key once in a marker `<!-- generated: config ... -->` of"
        " docs/reference/config.md, then run `make docs`"
    )
    assert {key(field.name) for field in fields(Config)} ^ set(listed) == set(), todo
    assert [name for name in listed if listed.count(name) > 1] == [], todo
    for name in listed:
        # Each name is a key of the file, and no key may hold null.
        with pytest.raises(DomainError, match=f"'{name}' "):
            config_from_json({name: None})


def test_variables_and_defaults_are_those_that_the_service_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "config.md").read_text()
    listed = re.findall(r"\| `([^`|]*)`[^|]* \| `(TFAAS_[A-Z_]+)`, `--", text)
    assert len(listed) == len(fields(Config)), "a key has no row: see the test above"
    for default, variable in listed:
        settings = load_settings({variable: default.strip('"')})
        assert settings.config == Config()
        assert f"${variable}" in settings.sources.values()


def test_each_key_of_params_json_stands_there():
    there = rows_of("params.md")
    known = {field.name for field in fields(Params)} - {"stored"}
    assert known <= there.keys()
    assert params_from_json({"name": "m"}).model == "saved_model.pb"
    assert '`"saved_model.pb"`' in there["model"]


def test_each_command_is_shown_as_its_help_shows_it():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    named = {name: f"{place}:main" for name, place in commands.COMMANDS.items()}
    assert named == scripts
    text = (FOLDER / "commands.md").read_text()
    assert text.count("\n### `") == 30
    for path in ("trainer run", "exporter verify", "runtime models pull"):
        assert f"### `{path}`\n\n```text\nUsage: {path} [OPTIONS]" in text


def test_each_metric_and_each_of_its_labels_stands_there():
    text = (FOLDER / "metrics.md").read_text()
    explained = set()
    for cell in re.findall(r"^\| (`.*?) \|", text.partition("## Labels")[2], re.M):
        explained |= set(re.findall(r"`([a-z_]+)`", cell.partition(" of ")[0]))
    described = metrics.metrics()
    lacking = {m.name for m in described} - rows_of("metrics.md").keys()
    assert lacking == set(), "run `make docs`"
    assert {label for m in described for label in m.labels} ^ explained == set(), (
        "each label has a row by hand in docs/reference/metrics.md, section Labels"
    )


def test_each_word_that_a_label_may_be_is_explained():
    text = (FOLDER / "metrics.md").read_text().partition("## Labels")[2]
    words = {*get_args(Outcome), *get_args(FallbackCode), "request"} - {""}
    assert {word for word in words if f"`{word}`" not in text} == set(), (
        "name the word in the row of its label in docs/reference/metrics.md"
    )


def test_each_file_of_the_exporter_and_each_folder_of_the_store_stands_there():
    text = (FOLDER / "bundle.md").read_text()
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    named = {name for cell in cells for name in cell.split("`")}
    assert {name for name in EXPORTED if name not in named} == set()
    for folder in (staging.FOLDER_NAME, trash.FOLDER_NAME, conversions.FOLDER_NAME):
        assert any(name.startswith(f"{folder}/") for name in named), folder


def test_each_error_stands_there_with_its_status_and_what_to_do():
    there = rows_of("errors.md")
    for error in errors.errors():
        assert error.__name__ in there
    for error, status in STATUS.items():
        assert f" | {status[:3]} | " in there[error.__name__]
    known = {error.__name__ for error in errors.errors()}
    assert known ^ errors.WHAT_TO_DO.keys() == set(), (
        "each error has a line in WHAT_TO_DO of tools/reference/errors.py"
    )


def test_no_error_of_the_packages_is_left_out():
    """All imported errors count, except a module's own."""

    def below(error):
        for child in error.__subclasses__():
            yield child
            yield from below(child)

    packages = ("bundle", "exporter", "runtime", "trainer")
    known = set(errors.errors())
    assert {
        error
        for error in below(DomainError)
        if error.__module__.partition(".")[0] in packages
        and not error.__name__.startswith("_")
    } == known


def raised(group, error):
    """Return the exit code of a command that an error ends."""

    @click.group(cls=group)
    def main():
        pass

    @main.command()
    def fail():
        raise error.__new__(error, "it failed")

    return CliRunner().invoke(main, ["fail"]).exit_code


@pytest.mark.parametrize("error", [*errors.errors()], ids=lambda error: error.__name__)
def test_exit_codes_are_those_of_the_commands(error):
    if issubclass(error, ExportError):
        # Each of the exporter's commands prints the error as a sentence, and exits with
        # code 1.
        assert errors.exit_code(error) == 1
        return
    of_the_tools = error.__module__.startswith(("trainer", "exporter"))
    group = Group if of_the_tools else type(models)
    assert errors.exit_code(error) == raised(group, error)
