"""The Dockerfile makes the image that the manifests and the code expect."""

import json
import re
import tomllib

from click.testing import CliRunner

from runtime.cli import main
from runtime.config import Config
from runtime.http.routes import ROUTES
from tests.deploy.manifests import FOLDER, built, one
from tests.documents import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
WORDS = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE"),
    *("FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR"),
}


def instructions():
    """Return each instruction's word and its arguments, in order."""
    lines = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    whole = lines.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in whole if line.strip()]


def last_stage():
    told = instructions()
    begin = max(index for index, (word, _) in enumerate(told) if word == "FROM")
    return told[begin:]


def the(word, told):
    (found,) = (arguments for its, arguments in told if its == word)
    return found


def test_all_words_are_instructions():
    assert {word for word, _ in instructions()} <= WORDS


def test_it_runs_as_the_user_of_the_manifests():
    pod = one(built(FOLDER / "base"), "Deployment")["spec"]["template"]["spec"]
    who = pod["securityContext"]
    assert the("USER", last_stage()) == f"{who['runAsUser']}:{who['runAsGroup']}"
    words = [word for word, _ in last_stage()]
    assert words.index("USER") > max(i for i, w in enumerate(words) if w == "RUN")


def test_its_command_is_one_of_the_service():
    """A shell would not hand SIGTERM on, so the words are a list."""
    entry = json.loads(the("ENTRYPOINT", last_stage()))
    command = json.loads(the("CMD", last_stage()))
    assert entry == ["runtime"]
    told = CliRunner().invoke(main, [*command, "--print-config", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["host"]["value"] == "0.0.0.0"
    (container,) = one(built(FOLDER / "base"), "Deployment")["spec"]["template"][
        "spec"
    ]["containers"]
    assert container["command"] == [*entry, command[0]]
    ports = {str(each["containerPort"]) for each in container["ports"]}
    assert set(the("EXPOSE", last_stage()).split()) == ports


def test_its_health_is_a_route():
    _, _, command = the("HEALTHCHECK", last_stage()).partition("CMD ")
    program, flag, code = json.loads(command)
    assert (program, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", code).groups()
    assert int(port) == Config().port
    assert path in {route.path for route in ROUTES if route.is_quiet}


def test_the_models_have_a_place_of_their_own():
    folder = the("WORKDIR", last_stage()) + str(Config().model_dir)
    assert the("RUN", last_stage()).split()[-1] == folder


def test_it_copies_each_package_and_the_builder_gets_no_more():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = [
        name
        for word, arguments in instructions()
        if word == "COPY" and not arguments.startswith("--from")
        for name in arguments.split()[:-1]
    ]
    assert set(copied) == {
        *packages,
        *("pyproject.toml", "constraints.txt", "README.md"),
        *("LICENSE", "LICENSES.md"),
    }
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert "*" in ignored
    extras = re.search(r"ARG EXTRAS=(\S+)", DOCKERFILE.read_text())[1].split(",")
    assert set(extras) <= set(project["project"]["optional-dependencies"])
    for name in project["project"]["license-files"]:
        assert name.split("/")[0] in copied
