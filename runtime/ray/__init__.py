"""Many machines with Ray: serving and scoring, with the same rooms inside.

This needs the extra ``cluster``. The files of this folder, and ``trainer.ray``, are the
only ones that import Ray, and no other part of the service needs them.

``serve run runtime.ray:app`` serves what ``runtime serve --ray`` serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.serve import Application


def app(arguments: Mapping[str, Any]) -> Application:
    """Build the application of Ray Serve, for ``serve run`` and Serve's config files.

    Args:
        arguments: keys of config.json with their values, ``config`` for the path of
            such a file, and the keys of ``runtime.ray.scale.Scale``, such as
            ``minReplicas``. Each value may be a text.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    # Other files of this folder can be imported without Ray.
    from runtime.ray.arguments import read_arguments
    from runtime.ray.serving import build

    return build(*read_arguments(arguments))
