from dataclasses import replace

import pytest

from runtime.config import ConfigError
from runtime.preflight import check_config


@pytest.mark.parametrize("name", ["grpc", "grpc_health", "grpc_reflection"])
def test_grpc_without_its_extra_is_refused(config, monkeypatch, name):
    monkeypatch.setattr(
        "runtime.preflight.packages.find_spec",
        lambda asked: None if asked == name else True,
    )
    assert check_config(config) == ()  # the door is off
    words = f"'grpcPort' is 8001, and {name} is not installed: pip install"
    with pytest.raises(ConfigError, match=words):
        check_config(replace(config, grpc_port=8001))
