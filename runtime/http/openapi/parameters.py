"""Parameters and headers that several routes share."""

from __future__ import annotations

from bundle.params import MODEL_NAME
from bundle.version_labels import LABEL_NAME
from runtime.http.openapi.operation import Parameter

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}

# The names in braces of the paths. The examples work with a model that has one version,
# a label, and four numbers as its input.
PLACES = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            "name",
            "The model's name.",
            {"type": "string", "pattern": f"^{MODEL_NAME.pattern}$"},
            "linear",
        ),
        Parameter("version", "The version's number.", _NUMBER, 1),
        Parameter(
            "label",
            "The label's name.",
            {"type": "string", "pattern": f"^{LABEL_NAME.pattern}$"},
            "canary",
        ),
        Parameter(
            "repository", "The repository's name, any.", {"type": "string"}, "models"
        ),
        Parameter(
            "file", "The file's path, perhaps with slashes.", {"type": "string"}, ""
        ),
    )
}

VERSION = Parameter("version", "The version's number.", _NUMBER)
LABEL = Parameter("label", "A label of the version.", {"type": "string"})

REQUEST_ID = Parameter(
    "X-Request-Id",
    "An id for the request, which the reply repeats and the log has.",
    {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
)
TIMEOUT = Parameter(
    "X-Timeout-Ms",
    "After so many milliseconds a request that still waits is not run.",
    {"type": "integer", "minimum": 1, "maximum": 999_999_999},
)

REPLY_ID = Parameter(
    "X-Request-Id", "The request's id.", {"type": "string"}, is_always=True
)
NO_SNIFF = Parameter(
    "X-Content-Type-Options",
    "The content is of no other type than the reply says.",
    {"const": "nosniff"},
    is_always=True,
)
RETRY_AFTER = Parameter(
    "Retry-After", "The seconds to wait before the next try.", {"type": "integer"}
)
AUTHENTICATE = Parameter(
    "WWW-Authenticate",
    "The kind of token that is needed.",
    {"const": "Bearer"},
    is_always=True,
)
BACKEND = Parameter(
    "X-Model-Backend",
    "The engine that answered, as engine/device.",
    {"type": "string"},
    is_always=True,
)
VERSION_HEADER = Parameter(
    "X-Model-Version",
    "The model's version that answered.",
    {"type": "integer"},
    is_always=True,
)
ETAG = Parameter(
    "ETag", "The mark of this content.", {"type": "string"}, is_always=True
)
UNLESS = Parameter(
    "If-None-Match",
    "The mark of the content that the client has; 304 says that it is still right.",
    {"type": "string"},
)
