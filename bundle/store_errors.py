"""The errors of a store, each with its one sentence, in whatever place the models are.

Their kinds stand in ``bundle.errors``.
"""

from __future__ import annotations

from bundle.errors import ConflictError, ModelNotFound, StoreError

# Commands put their own words in this place.
LISTS = "GET /models lists"


def no_model(name: str) -> ModelNotFound:
    """Make the error of a name that the store does not have."""
    return ModelNotFound(f"there is no model {name[:128]!r}; {LISTS} those there are")


def unloaded(name: str) -> ModelNotFound:
    """Make the error of a request for a model that somebody unloaded."""
    return ModelNotFound(
        f"model {name[:128]!r} is unloaded; a writer loads it with POST"
        f" /v2/repository/models/{name[:128]}/load"
    )


def no_version(name: str, number: int | str) -> ModelNotFound:
    """Make the error of a number that none of a model's versions has."""
    return ModelNotFound(f"model {name!r} has no version {number}")


def no_label(name: str, label: str) -> ModelNotFound:
    """Make the error of a label that a model does not have."""
    return ModelNotFound(f"model {name!r} has no label {label[:64]!r}")


def labelled(name: str, number: int, label: str) -> ConflictError:
    """Make the error of the deletion of a version to which a label points."""
    return ConflictError(
        f"version {number} of {name!r} is labelled {label!r}; move or delete the label"
        " first"
    )


def published_anew(name: str, number: int) -> ConflictError:
    """Make the error of a label for a version that is another bundle by now."""
    return ConflictError(
        f"version {number} of {name!r} was deleted and published anew"
        " meanwhile; look at it, and set the label again"
    )


def no_number_left(name: str, number: int) -> ConflictError:
    """Make the error of a publication after the highest number, which is given."""
    return ConflictError(
        f"version {number} of {name!r} is the highest number that a version may have;"
        " delete it, or publish under another name"
    )


def store_error(done: str, ex: OSError) -> StoreError:
    """Make the error of a disk that refuses the store; its sentence names no folder."""
    return StoreError(f"the store cannot be {done}: {ex.strerror}")
