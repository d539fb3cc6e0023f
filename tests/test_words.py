"""Sentences begin with their subject and verb; see CONTRIBUTING.md, Words."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, markdown_of

PLACES = (
    *("bench", "bundle", "exporter", "runtime", "tfaas_onnx", "tools", "trainer"),
    *("CONTRIBUTING.md", "SECURITY.md"),
    *("CHANGELOG.md", "docs"),
    *("ARCHITECTURE.md", "README.md"),
)

Sentence = tuple[int, str]

# A sentence that begins with one of these words tells its subject late or never.
OPENING = re.compile(
    r"(?:(?:for|to|in|by|with|from|at|on) (?:which|whom|whose|what)"
    r"|of|what|whatever|who|whoever|whom|whose|which|whichever|how|that|than|as|where"
    r"|wherever|nor|neither)\b",
    re.IGNORECASE,
)
# The language itself has these: a question, a heading of a guide, fixed phrases, and a
# clause that ends with a comma before the main clause.
HONEST = re.compile(
    r".*\?$|How to |Of course|That (?:is|was|does)\b"
    r"|As (?:of|soon|long|far|well|a rule|a result)\b|(?:Where|Wherever) [^,:;]+, \w"
    r"|Neither [^,.;]+ nor ",
    re.IGNORECASE,
)
# A sentence ends here, or a colon has a whole sentence after it.
END = re.compile(r"(?<=[.!?:;]) (?=[\"'`*_(]*[A-Z])")
# An entry of a docstring's list, ``name: of the model``, must not begin so either.
ENTRY = re.compile(r"[*`\w][*`\w., ]{0,60}: (.*)", re.DOTALL)
# The quotes around a text.
QUOTED = re.compile(r"^[a-zA-Z]{0,2}(\"\"\"|\"|')|(\"\"\"|\"|')$")
# These begin a paragraph of their own, without a blank line before them.
BEGIN = re.compile(r"[-*|#>] |\d+\. |\|| {4,}[*`]*\w[\w., ]*[*`]*: ")


def hiding(text: str) -> Iterator[str]:
    """Give the sentences of a paragraph whose opening hides their subject."""
    for sentence in END.split(" ".join(text.split())):
        bare = sentence.lstrip("\"'`*_(#>-| ")
        entry = ENTRY.fullmatch(bare)
        for said in (bare, entry[1] if entry else ""):
            # Words in small letters begin no sentence, except in an entry.
            begins = said[:1].isupper() or said is not bare
            if begins and OPENING.match(said) and not HONEST.match(said):
                yield sentence


def paragraphs(text: str, first: int = 1) -> Iterator[Sentence]:
    """Give the paragraphs of a text, each with the number of its first line."""
    begin, held = first, []
    for number, line in enumerate(text.splitlines(), first):
        if held and (not line.strip() or BEGIN.match(line)):
            yield begin, "\n".join(held)
            held = []
        if line.strip():
            begin = begin if held else number
            held.append(line)
    if held:
        yield begin, "\n".join(held)


def of_python(source: str) -> Iterator[Sentence]:
    """Give the paragraphs of docstrings, comments and help texts."""
    before = ["", ""]
    helping = False
    begin, goes_on, held = 0, 0, []
    for kind, text, (number, column), _, line in tokenize.generate_tokens(
        io.StringIO(source).readline
    ):
        is_first = not line[:column].strip()
        if kind == tokenize.COMMENT:
            if held and (number != goes_on or not is_first):
                yield begin, " ".join(held)
                held = []
            begin = begin if held else number
            held.append(text.lstrip("#:! "))
            # A comment beside code has one line.
            goes_on = number + 1 if is_first else 0
        elif is_first and QUOTED.match(text) and text.endswith('"""'):
            yield from paragraphs(QUOTED.sub("", text), number)
        elif before == ["help", "="]:
            helping = True
        if helping and tokenize.tok_name[kind] in ("STRING", "FSTRING_MIDDLE"):
            # Each string of a text in several strings is read alone.
            yield number, QUOTED.sub("", text)
        helping = helping and text not in (",", ")")
        before = [before[1], text]
    if held:
        yield begin, " ".join(held)


def of_markdown(source: str) -> Iterator[Sentence]:
    """Give the paragraphs, list entries and cells, without blocks of code."""
    code = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
    text = code.sub(lambda block: "\n" * block[0].count("\n"), source)
    for number, paragraph in paragraphs(text):
        cells = paragraph.split(" | ") if paragraph.startswith("|") else [paragraph]
        yield from ((number, cell) for cell in cells)


def files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = [*place.rglob("*.py"), *place.rglob("*.md"), *place.rglob("*.ipynb")]
    return sorted(path for path in found if not path.stem.endswith("_pb2"))


@pytest.mark.parametrize("place", PLACES)
def test_every_sentence_begins_with_its_subject(place):
    read = files(ROOT / place)
    assert read
    assert [
        f"{path.relative_to(ROOT)}:{number}: {sentence}"
        for path in read
        for number, text in (
            of_python(path.read_text())
            if path.suffix == ".py"
            else of_markdown(markdown_of(path))
        )
        for sentence in hiding(text)
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        "For which model, nobody has looked yet; no model's name begins so",
        "What a process that opens a model needs to read.",
        "The size is read. Of several names the first counts.",
        "Who deletes a folder does not wait for its readers.",
        "Where an archive's bytes come from.",
        "    port: of the server.",
        "    how: that it may have, at most.",
        "- **Whatever** is left goes.",
    ],
)
def test_a_subject_that_hides_is_found(text):
    assert len(list(hiding(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "What is a bundle?",
        "How to install it on a GPU",
        "As of version 2, the model is not known yet.",
        "Where the file is missing, TensorFlow serves.",
        "A path is a safe key, because no model name starts with '/'.",
        "    port: the server's port; what is free",
    ],
)
def test_what_the_language_itself_has_is_let_be(text):
    assert list(hiding(text)) == []


def test_docstrings_comments_and_help_texts_are_read():
    source = '''"""A module.

Of its lines this is the third.
"""
x = 1  # what a line is for
# This comment goes on. As
# it does here.
option(help="Of each load.")
'''
    assert sorted((n, s) for n, text in of_python(source) for s in hiding(text)) == [
        (3, "Of its lines this is the third."),
        (6, "As it does here."),
        (8, "Of each load."),
    ]


def test_code_in_a_document_is_not_read():
    source = "# A page\n\n```\nOf no matter.\n```\n\n| a | b |\n| Of it. | What |\n"
    assert [
        (n, s.strip()) for n, text in of_markdown(source) for s in hiding(text)
    ] == [
        (8, "| Of it."),
        (8, "What |"),
    ]
