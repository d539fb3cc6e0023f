"""The check of settings that concern other packages: gRPC's and TensorFlow's."""

from __future__ import annotations

from importlib.util import find_spec

from runtime.backends.session_config import read_session_config
from runtime.config import Config, ConfigError

# The extra 'grpc' installs these packages.
_GRPC = ("grpc", "grpc_health", "grpc_reflection")


def check_grpc(config: Config) -> tuple[str, ...]:
    """Check that gRPC is installed, and has a port of its own.

    Raises:
        ConfigError: it is not installed, or its port is that of HTTP.
    """
    if not config.grpc_port:
        return ()
    missing = [name for name in _GRPC if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"'grpcPort' is {config.grpc_port}, and {missing[0]} is not installed:"
            " pip install 'tfaas-onnx[grpc]'"
        )
    if config.grpc_port == config.port:
        raise ConfigError(
            f"'grpcPort' and 'port' are both {config.port}; gRPC needs a port of its"
            " own"
        )
    return ()


def check_tensorflow(config: Config) -> tuple[str, ...]:
    """Check that ``configProto`` can be read.

    Raises:
        ConfigError: it cannot.
    """
    read_session_config(config.config_proto, config.intra_op_threads)
    return ()
