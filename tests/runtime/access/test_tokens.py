"""Tokens are kept as their digests, in config.json or in a file."""

import pytest

from runtime.access.gate import gate_of
from runtime.access.tokens import digest_of, read_digests
from runtime.config import Config, ConfigError

# These are the digests of "secret" and of "abc", by sha256sum.
SECRET = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_token_is_kept_as_its_sha256():
    assert digest_of("abc") == ABC
    assert digest_of("secret") == SECRET


def test_a_file_has_one_digest_a_line(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"# two of them\n\n{SECRET.upper()}  # Ada's\n{ABC}\n")
    assert read_digests(["x"], "key", str(file)) == ("x", SECRET, ABC)
    assert read_digests(["x"], "key", "") == ("x",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"{ABC}\nmy-secret-token\n".encode(), "line 2 is no SHA-256"),
        (b"\xff\xfe", "is not a text"),
        (None, "cannot be read: No such file"),
        # A file without digests would open a service that somebody meant to close.
        (b"# to come\n\n", "has no digest"),
    ],
)
def test_a_wrong_file_is_a_sentence_that_tells_no_token(tmp_path, content, problem):
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(
        ConfigError, match=f"'predictTokensFile': .*{problem}"
    ) as caught:
        gate_of(Config(predict_tokens=(ABC,), predict_tokens_file=str(file)))
    assert "my-secret-token" not in str(caught.value)
