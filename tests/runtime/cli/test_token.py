"""``runtime token`` makes tokens."""

import hashlib
import re

from click.testing import CliRunner

from runtime.cli import main


def test_a_token_is_made_with_what_the_service_keeps_of_it():
    made = [CliRunner().invoke(main, ["token"]) for _ in range(2)]
    assert [result.exit_code for result in made] == [0, 0]
    found = [
        re.fullmatch(r"token   (\S+)\nsha256  ([0-9a-f]{64})\n", result.stdout)
        for result in made
    ]
    (first, digest), (second, _) = (match.groups() for match in found)
    assert hashlib.sha256(first.encode()).hexdigest() == digest
    assert first != second
    # A token has 256 bits, six for each character.
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", first)
    assert "'writeTokens'" in made[0].stderr
    assert "$MODELS_TOKEN" in made[0].stderr
