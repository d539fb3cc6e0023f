import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.config import ConfigError
from runtime.preflight import check_config

DIGEST = "0123456789abcdef" * 4


@pytest.mark.slow
def test_a_key_of_another_certificate_is_refused(config):
    for name in ("one", "other"):
        subprocess.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            f" -subj /CN=localhost -keyout {name}.key -out {name}.crt".split(),
            check=True,
            capture_output=True,
        )
        Path(f"{name}.key").chmod(0o600)
    pair = replace(config, server_key="one.key", server_crt="one.crt")
    assert check_config(pair) == ()
    with pytest.raises(ConfigError, match="its certificate, .*: key values mismatch"):
        check_config(replace(pair, server_crt="other.crt"))


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (0o600, None),
        (0o640, None),
        (0o644, "anybody on this machine may read"),
        (0o666, "anybody on this machine may change"),
    ],
)
@pytest.mark.parametrize("key", ["write_tokens_file", "predict_tokens_file"])
def test_a_file_of_tokens_that_others_may_open_is_told(config, key, mode, told):
    path = Path("tokens")
    path.write_text(f"{DIGEST}\n")
    path.chmod(mode)
    found = check_config(replace(config, **{key: "tokens"}))
    assert [told in sentence for sentence in found] == [True] * (told is not None)
