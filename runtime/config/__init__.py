"""config.json: every setting of the service, each with its reason.

TFaaS's own keys keep their names; a key is the field's name in camelCase. A variable
``TFAAS_<KEY>`` of the environment goes before the file's value, and a flag goes before
the variable. The trainer and the exporter read ``modelDir`` here too, so all three find
one store.
"""

from runtime.config.checks import DIGEST, RATE
from runtime.config.fields import (
    Batching,
    Config,
    ConfigError,
    Drift,
    ExportPolicy,
    LogFormat,
    OnnxPolicy,
    ParityFailure,
    Provider,
    Walls,
    key,
)
from runtime.config.reading import (
    VARIABLE,
    Settings,
    config_from_json,
    config_path,
    load_config,
    load_settings,
    option,
    parse,
    variable,
)
from runtime.config.renewal import Renewal, renewal_of

__all__ = [
    "DIGEST",
    "RATE",
    "VARIABLE",
    "Batching",
    "Config",
    "ConfigError",
    "Drift",
    "ExportPolicy",
    "LogFormat",
    "OnnxPolicy",
    "ParityFailure",
    "Provider",
    "Renewal",
    "Settings",
    "Walls",
    "config_from_json",
    "config_path",
    "key",
    "load_config",
    "load_settings",
    "option",
    "parse",
    "renewal_of",
    "variable",
]
