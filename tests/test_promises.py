"""docs/reliability.md, security.md and upgrading.md name only tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = [
    found
    for page in ("reliability.md", "security.md", "upgrading.md")
    for found in re.findall(
        r"`([a-z_/]+\.py)::(test_\w+)`", (ROOT / "docs" / page).read_text()
    )
]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_test_that_is_named_is_there(file, name):
    assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text()
