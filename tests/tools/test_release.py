"""Each work inside the wheel has its licence; the bill and the audit tell the truth."""

import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata

import pytest
from packaging.specifiers import SpecifierSet

from tests.documents import ROOT
from tools.release.audit import told
from tools.release.bill import shipped
from tools.release.closure import closure
from tools.release.inside import works

PACKAGES = ("bundle", "exporter", "runtime", "tfaas_onnx", "trainer")
# This project wrote these files itself.
OWN = (
    "*.py",
    "*_pb2.pyi",
    "*/py.typed",
    "runtime/http/page/app/*",
    "runtime/http/page/docs.*",
    "runtime/http/page/favicon.ico",
    "runtime/walls/syscalls.txt",
    "trainer/report/page.css",
)
# The identifiers of https://spdx.org/licenses/ that are known to be in use here.
SPDX = {"Apache-2.0", "BSD-3-Clause", "CC-BY-SA-3.0", "MIT"}


def files():
    return [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


@pytest.mark.parametrize("work", works(), ids=lambda work: work.name)
def test_each_work_of_others_is_there_with_its_licence(work):
    assert work.licence in SPDX
    assert work.files
    assert work.texts
    for pattern in (*work.files, *work.texts):
        assert list(ROOT.glob(pattern)), pattern
    shown = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in work.texts:
        assert any(fnmatch(text, known) for known in shown["license-files"]), text


def test_every_file_in_the_packages_is_our_own_or_has_a_licence():
    others = [p for work in works() for p in (*work.files, *work.texts)]
    strange = [
        name
        for name in files()
        if not any(fnmatch(name, pattern) for pattern in (*OWN, *others))
    ]
    assert strange == [], (
        "add them to LICENSES.md, or to OWN if they are this project's"
    )


@pytest.mark.parametrize("made_of", ["onnx", "TensorFlow"])
def test_the_versions_are_those_that_the_files_name(made_of):
    (work,) = [work for work in works() if work.name == made_of.lower()]
    for name in work.files:
        head = (ROOT / name).read_text().splitlines()[0]
        assert head.endswith(f"of {made_of} {work.version}.")


class Fake(metadata.Distribution):
    """The metadata of a package that is not installed."""

    def __init__(self, text):
        self.text = text

    def read_text(self, filename):
        return self.text if filename == "METADATA" else None

    def locate_file(self, path):
        raise NotImplementedError


ROOT_PACKAGE = Fake(
    """Metadata-Version: 2.4
Name: Our_Own
Version: 1
Requires-Dist: httpcore
Requires-Dist: not-there-at-all; sys_platform == 'plan9'
Provides-Extra: more
Requires-Dist: our-own[most]; extra == 'more'
Provides-Extra: most
Requires-Dist: tqdm; extra == 'most'
"""
)


def test_the_closure_has_what_is_needed_and_no_extra_that_nobody_asked_for():
    """Httpcore needs h11 and certifi; its extras have h2, trio and others."""
    assert set(closure(ROOT_PACKAGE, set())) == {"httpcore", "h11", "certifi"}


def test_an_extra_may_name_another_extra_of_its_own_package():
    assert "tqdm" in closure(ROOT_PACKAGE, {"more"})


def test_a_package_that_is_not_installed_is_an_error():
    with pytest.raises(metadata.PackageNotFoundError, match="not-there-at-all"):
        closure(Fake(ROOT_PACKAGE.text.replace("plan9", "linux")), set())


def test_the_bill_has_the_needed_packages_and_the_edges_between_them():
    whole = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [
            {"bom-ref": "a==1", "name": "A_a"},
            {"bom-ref": "b==1", "name": "b"},
            {"bom-ref": "pytest==9", "name": "pytest"},
        ],
        "dependencies": [
            {"ref": "root", "dependsOn": ["a==1", "pytest==9"]},
            {"ref": "a==1", "dependsOn": ["b==1", "pytest==9"]},
            {"ref": "b==1"},
            {"ref": "pytest==9", "dependsOn": ["b==1"]},
        ],
    }
    told = shipped(whole, {"a-a", "b"})
    assert [part["name"] for part in told["components"]] == ["A_a", "b"]
    assert told["dependencies"] == [
        {"ref": "root", "dependsOn": ["a==1"]},
        {"ref": "a==1", "dependsOn": ["b==1"]},
        {"ref": "b==1", "dependsOn": []},
    ]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it gets other packages")
def test_every_pinned_version_takes_the_python_of_bookworm():
    """Debian 12 has Python 3.11.2, and pip finds no package that asks for more."""
    ask = {
        package.name: package.metadata.get("Requires-Python") or ""
        for package in metadata.distributions()
    }
    assert {n: v for n, v in ask.items() if "3.11.2" not in SpecifierSet(v)} == {}


FAULT = {"id": "PYSEC-1", "fix_versions": ["2", "3"]}


@pytest.mark.parametrize(
    ("audited", "last", "faults"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], "1 packages were audited", 0),
        (
            [{"name": "a", "version": "1", "vulns": [FAULT]}],
            "1 packages were audited: 1 vulnerabilities",
            1,
        ),
        # pip-audit itself calls this "No known vulnerabilities found".
        ([{"name": "a", "skip_reason": "not found"}], "1 packages were NOT audited", 0),
        ([], "nothing was audited", 0),
    ],
)
def test_the_audit_tells_what_was_not_audited(audited, last, faults):
    lines, found = told(audited)
    assert last in lines[-1]
    assert found == faults


def test_a_vulnerability_is_told_with_its_package_and_its_mending():
    lines, _ = told([{"name": "a", "version": "1", "vulns": [FAULT]}])
    assert lines[0] == "a 1: PYSEC-1, mended in 2, 3"
