"""Links of the documents lead somewhere, and each command is typed or has a reason."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from bundle import __version__
from tests.documents import (
    MOVING,
    PAGES,
    ROOT,
    blocks,
    documents,
    markdown_of,
    transcripts,
)
from tools.reference.commands import COMMANDS, walk

NAMES = [str(path.relative_to(ROOT)) for path in documents()]
ALL = [
    *NAMES,
    *(path.name for path in sorted(ROOT.glob("*.md")) if path.name != "README.md"),
    "docs/mnist.ipynb",
    "models/README.md",
    "trainer/data/LICENSE.md",
]

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchor_of(heading):
    """Return a heading's anchor by GitHub's rule: small letters, dashes for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors_of(page):
    return {anchor_of(h) for h in HEADING.findall(FENCED.sub("", markdown_of(page)))}


def links_of(page):
    return [
        link
        for link in LINK.findall(FENCED.sub("", markdown_of(page)))
        if not re.match(r"[a-z]+:", link)
    ]


def test_anchors_are_made_as_github_makes_them():
    assert anchor_of("`runtime models`") == "runtime-models"
    assert anchor_of("The whole way, by hand") == "the-whole-way-by-hand"
    assert anchor_of("A \N{EN DASH} B: what_is & why?") == "a--b-what_is--why"


@pytest.mark.parametrize("name", ALL)
def test_each_link_leads_somewhere(name):
    page = ROOT / name
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), link


def test_every_page_can_be_reached_from_the_readme():
    reached, next_ones = set(), [ROOT / "README.md"]
    while next_ones:
        page = next_ones.pop()
        reached.add(page)
        for link in links_of(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix in (".md", ".ipynb") and target not in reached:
                next_ones.append(target)
    assert {*documents(), ROOT / "docs" / "mnist.ipynb"} <= reached


@pytest.mark.parametrize("name", NAMES)
def test_each_shell_block_says_whether_a_test_types_it(name):
    for block in blocks(ROOT / name):
        assert block.marker, block.text
    words = [block.word for block in transcripts(name)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", NAMES)
def test_commands_stand_in_shell_blocks_alone(name):
    """No test would look at a block of another kind."""
    languages = set(re.findall(r"^```(\S+)", (ROOT / name).read_text(), re.MULTILINE))
    # The browser runs the one script, and tests/end_to_end/test_client.py the others.
    tested = {"docs/securing.md": {"js"}, "docs/client.md": {"pycon"}}
    assert languages <= {"json", "sh", "text"} | tested.get(name, set())
    for text in re.findall(
        r"^```text\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL
    ):
        assert not re.search(r"^\$? ?(curl|pip|make|runtime|exporter) ", text, re.M)


def test_every_page_with_transcripts_is_typed():
    typed = {"README.md", MOVING, *PAGES}
    assert {name for name in NAMES if transcripts(name)} == typed


@pytest.mark.parametrize("name", NAMES)
def test_a_test_that_a_block_names_is_there(name):
    for block in blocks(ROOT / name):
        for named in re.findall(r"tests/[\w/]+(?:\.py)?", block.word):
            assert Path(ROOT, named).exists(), named


@pytest.mark.parametrize(
    "package", ["bundle", "exporter", "runtime", "tfaas_onnx", "trainer"]
)
def test_a_document_that_the_code_names_is_there(package):
    for file in sorted((ROOT / package).rglob("*.py")):
        for named in re.findall(r"docs/[\w/]+\.md", file.read_text()):
            assert (ROOT / named).is_file(), f"{file.name} names {named}"


# A command of this project at the beginning of a line of code, and code in a sentence.
COMMAND = re.compile(r"^(?:\$ )?((?:trainer|exporter|runtime) [a-z].*)", re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@pytest.fixture(scope="module")
def commands():
    """Return the options of each command, by the words that call it."""
    return {
        path: {option for part in command.params for option in part.opts}
        | {option for part in command.params for option in part.secondary_opts}
        | {"--help", "--version"}
        for name, module in COMMANDS.items()
        for path, command in walk(import_module(module).main, name)
    }


def unknown(text, commands):
    """Return the commands of a text that no program here would take."""
    code = [" ".join(span.split()) for span in CODE.findall(FENCED.sub("", text))]
    lines = "\n".join([*FENCED.findall(text), *code]).replace("\\\n", " ")
    wrong = []
    for typed in COMMAND.findall(lines):
        words = re.split(r"[#|;)]", typed)[0].split()
        begins = [" ".join(words[:n]) for n in (1, 2, 3)]
        path = [begin for begin in begins if begin in commands][-1]
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        if " " not in path or not options <= commands[path]:
            wrong.append(typed)
    return wrong


def test_a_command_that_is_not_there_is_found(commands):
    text = "```sh\ntrainer run \\\n  --foo=1 --fin x\n```\nA `runtime serve --port 1`"
    text += " and `exporter\nfly x`, but no trainer run --foo.\n"
    wrong = [" ".join(typed.split()) for typed in unknown(text, commands)]
    assert wrong == ["trainer run --foo=1 --fin x", "exporter fly x"]


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", *NAMES])
def test_each_command_and_option_that_a_document_types_exists(name, commands):
    """Blocks that no test runs are read so at least, and so are sentences."""
    assert unknown((ROOT / name).read_text(), commands) == []


def test_documents_install_this_version():
    installing = (ROOT / "docs" / "installing.md").read_text()
    assert f"tfaas_onnx-{__version__}-py3-none-any.whl" in installing
    deploying = (ROOT / "docs" / "deploying.md").read_text()
    assert f"\nln -s tfaas-onnx-{__version__} /opt/tfaas-onnx\n" in deploying


def test_the_readme_stays_a_screen_or_two():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
