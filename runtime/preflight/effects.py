"""The check of settings that have no effect, or a larger one than is meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from runtime.access.gate import gate_of
from runtime.config import Config


def check_effects(config: Config) -> Iterator[str]:
    """Tell which settings have no effect, or more than is usually meant."""
    if config.onnx == "off" and config.variant != "fp32":
        yield "'variant' has no effect, because 'onnx' is off: variants are ONNX"
    if config.onnx == "off" and config.provider == "cuda":
        yield (
            "'provider' has no effect, because 'onnx' is off: it is a setting of ONNX"
            " Runtime"
        )
    if config.onnx == "off" and config.parity_share:
        yield (
            "'parityShare' has no effect, because 'onnx' is off: TensorFlow answers all"
            " requests"
        )
    if config.on_parity_failure == "fallback" and not config.parity_share:
        yield "'onParityFailure' has no effect, because 'parityShare' is 0"
    if config.onnx == "require" and config.on_parity_failure == "fallback":
        yield (
            "'onParityFailure' has no effect, because 'onnx' is require: TensorFlow"
            " serves no model"
        )
    if config.onnx == "require" and config.config_proto:
        yield (
            "'configProto' has no effect, because 'onnx' is require: it is a setting of"
            " TensorFlow"
        )
    if "*" in config.cors_origins and not gate_of(config).asks_for_reads:
        yield (
            "'corsOrigins' has '*', and there are no 'predictTokens': each page that a"
            " user of this service opens may read its models"
        )
    for network in config.trusted_proxies:
        if not ipaddress.ip_network(network).prefixlen:
            yield (
                f"'trustedProxies' has {network}, which is everybody: each client may"
                " give any address in X-Forwarded-For"
            )
