"""The unit of systemd: its form, its walls, and its words beside the service's."""

import json
import re
from pathlib import Path

import pytest

from runtime.config import Config, load_settings
from runtime.doctor.findings import GRACE_SECONDS
from runtime.server.heartbeat import LOOK_SECONDS
from tests.deploy.tools import DEPLOY, run_tool
from tests.documents import ROOT, blocks

FOLDER = DEPLOY / "systemd"
UNIT = FOLDER / "tfaas-onnx.service"
# `systemd-analyze security` rates from 0 (all is forbidden) to 100, and shows tenths:
# systemd 252 gives the unit 1.2, and newer ones look at more. Debian's own unit of
# nginx has 9.6.
MOST_EXPOSED = 15

pytestmark = pytest.mark.slow


def settings_of(path):
    """Return the values of each key, in their order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def of(key):
    (value,) = settings_of(UNIT)[key]
    return value


@pytest.fixture
def root(tmp_path):
    """Return a folder with the unit, and with programs of the names that it starts."""
    for name in ("opt/tfaas-onnx/bin/runtime", "bin/kill"):
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    (units / UNIT.name).write_text(UNIT.read_text())
    # The targets that all units belong to.
    for name in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    return tmp_path


@pytest.mark.parametrize("extra", [None, "tensorflow", "gpu", "network"])
def test_systemd_knows_each_word(root, extra):
    if extra:
        folder = root / "etc" / "systemd" / "system" / f"{UNIT.name}.d"
        folder.mkdir()
        (folder / f"{extra}.conf").write_text((FOLDER / f"{extra}.conf").read_text())
    told = run_tool(
        "systemd-analyze",
        "verify",
        f"--root={root}",
        "--recursive-errors=yes",
        "--man=no",
        UNIT.name,
        package="systemd",
    )
    assert told == ""


def test_a_wrong_word_is_found(root):
    unit = root / "etc" / "systemd" / "system" / UNIT.name
    unit.write_text(UNIT.read_text().replace("ProtectClock=", "ProtectClocks="))
    told = run_tool(
        "systemd-analyze",
        "verify",
        f"--root={root}",
        "--man=no",
        UNIT.name,
        package="systemd",
    )
    assert "Unknown key 'ProtectClocks'" in told


@pytest.mark.parametrize(("most", "code"), [(MOST_EXPOSED, 0), (5, 1)])
def test_the_service_is_hardly_exposed(most, code):
    told = run_tool(
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={most}",
        "--no-pager",
        UNIT,
        package="systemd",
        code=code,
    )
    assert "Overall exposure level" in told


def test_the_calls_that_build_the_walls_are_allowed():
    """Without them the kernel would seem to have no walls, and uploads none around."""
    allowed = set(" ".join(settings_of(UNIT)["SystemCallFilter"]).split())
    landlock = {
        f"landlock_{do}" for do in ("create_ruleset", "add_rule", "restrict_self")
    }
    assert allowed >= {*landlock, "seccomp", "capset"}
    given = json.loads((FOLDER / "config.json").read_text())
    assert given["walls"] == "require"


def test_the_folders_are_those_of_the_settings():
    settings = load_settings({}, {}, str(FOLDER / "config.json"))
    assert settings.doubts == ()
    config = settings.config
    assert config.model_dir.parent == Path("/var/lib") / of("StateDirectory")
    assert of("Environment") == f"XDG_CACHE_HOME=/var/cache/{of('CacheDirectory')}"
    assert of("ExecStart").endswith("serve --config /etc/tfaas-onnx/config.json")
    assert str(config.write_tokens_file).startswith("/etc/tfaas-onnx/")
    group = re.search(r"^g (\S+) -$", (FOLDER / "sysusers.conf").read_text(), re.M)[1]
    assert of("SupplementaryGroups") == group
    # nginx of deploy/nginx asks there, and is believed.
    assert (config.host, config.port) == ("127.0.0.1", 8083)
    assert set(config.trusted_proxies) == {"127.0.0.1", "::1"}


def test_times_and_codes_agree_with_the_service():
    assert int(of("TimeoutStopSec")) >= GRACE_SECONDS > Config().drain_seconds
    assert int(of("WatchdogSec")) > 10 * LOOK_SECONDS
    # The exit code of WrongInput and ConfigError: docs/reference/errors.md.
    assert of("RestartPreventExitStatus") == "2"
    assert (of("Type"), of("KillMode"), of("OOMPolicy")) == (
        "notify",
        "mixed",
        "continue",
    )


def test_the_page_installs_what_the_unit_needs():
    """tools/systemd/try.sh finds this block by its comment, and types it."""
    (text,) = (
        block.text
        for block in blocks(ROOT / "docs" / "deploying.md")
        if block.word.endswith("try.sh types it in a systemd of its own")
    )
    for name in (UNIT.name, "config.json", "sysusers.conf"):
        assert f" deploy/systemd/{name} " in text
    program, *_ = of("ExecStart").split()
    assert f"ln -s {program} " in text
    given = json.loads((FOLDER / "config.json").read_text())
    assert f"> {given['writeTokensFile']}\n" in text
    assert f"-g {of('SupplementaryGroups')} /etc/tfaas-onnx\n" in text
