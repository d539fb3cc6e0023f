"""docs/reliability.md names tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.findall(
    r"`([a-z_/]+\.py)::(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()
)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_each_test_that_is_named_is_there(file, name):
    assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text()
