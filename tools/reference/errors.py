"""The errors: their HTTP status, their word in the metrics, their exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from bundle.errors import DomainError
from runtime.http.openapi import docstring
from tools.reference.markdown import code, sentence, table

# Where errors are defined, by the table that tells of them.
MODULES: Mapping[str, Sequence[str]] = {
    "service": (
        "bundle.errors",
        "runtime.errors",
        "runtime.config.fields",
        "runtime.backends",
        "runtime.backends.proof",
        "runtime.backends.saved_model",
        "runtime.programs.reading",
    ),
    "models": ("runtime.admin.errors",),
    "exporter": ("exporter.errors",),
    "trainer": ("trainer.errors",),
}

# The next step of somebody who reads an error's sentence, which has the details itself.
# A new error needs a line here: without one there is no page.
WHAT_TO_DO: Mapping[str, str] = {
    "ArchiveError": "Send a tar of the bundle's folder, gzipped or not, or a zip.",
    "TooLarge": "Send less, or raise `maxBodyBytes` or `maxUploadBytes`.",
    "BundleError": "Correct the file or the key that the sentence names.",
    "ImageError": "Send a PNG, JPEG, BMP, GIF or WEBP within the bounds.",
    "ShapeError": "Send numbers of the shape that the sentence names;"
    " `GET /models/{name}/{version}` has it in `inputs`.",
    "ModelNotFound": "Ask `GET /models` for the models, their versions and labels.",
    "ConflictError": "Move or delete the label first, or ask again with what the store"
    " holds now; take some feedback away, or raise its bound.",
    "StoreUnreachable": "Try again in a moment. If it stays so, look at the object"
    " store that `modelDir` names, and at its credentials.",
    "StoreError": "Look at the disk of `modelDir`, or of `feedbackDir`: is it full, can"
    " it be written?",
    "ServiceError": "It is the parent of the errors below, and is not raised itself.",
    "InvalidInput": "Correct the field that the sentence names.",
    "NotOffered": "Do what the sentence names instead.",
    "Unauthorized": "Send `Authorization: Bearer TOKEN` with a token that may do this.",
    "Forbidden": "Ask from the service's own machine, or set `writeTokens`; for"
    " feedback, set `feedbackDir`.",
    "RateLimited": "Wait as long as `Retry-After` says, or raise `rate`.",
    "Overloaded": "Come again after `Retry-After`; add workers, or raise `maxQueue`.",
    "TooSlow": "Send the request faster.",
    "Expired": "Allow more time in `X-Timeout-Ms` or `timeoutMs`, or add workers.",
    "BackendError": "Look at the service's log, under the request's id.",
    "ProviderError": 'Install onnxruntime-gpu, or set `"provider": "auto"`.',
    "WallsError": 'Use a newer kernel, or set `"walls": "auto"`.',
    "ConfigError": "Correct the key that the sentence names;"
    " `runtime serve --print-config` shows where its value comes from.",
    "UnfitOnnx": "Convert the model anew: `exporter convert NAME`.",
    "InputRefused": "Send numbers that the model takes, such as an index that its"
    " embedding has.",
    "NoSignature": "Export the model with the signature `serving_default`.",
    "Damaged": "Write the file anew, or copy it anew.",
    "AdminError": "Correct the command that was typed.",
    "Refused": "Do what the server's sentence says.",
    "WorkFailed": "Read the sentence, and try again.",
    "ServerFailed": "Look at the server's log.",
    "Unreachable": "Look whether the server runs, and at its address.",
    "SourceError": "Give a model of the store, a bundle, a SavedModel's folder, a"
    " `.keras` or `.h5` file, or a frozen graph.",
    "OutputError": "Remove what lies there, or name another file with `--output`.",
    "NoOnnx": "Run `exporter convert` first, or name the file with `--onnx`.",
    "ExportError": "See [converting](../converting.md#if-it-does-not-work);"
    " TensorFlow serves the model meanwhile.",
    "DrawsNumbers": "Export the model for inference, without layers that draw numbers.",
    "ParityFailed": "Look at `worst` in parity.json; TensorFlow serves the model.",
    "NotDrawn": "Say what the model takes, with `--range` or `--shape`.",
    "VariantRefused": "Serve `model.onnx`, or calibrate with more of your own data.",
    "TimeLimitReached": "Raise `--time-limit`.",
    "MemoryLimitReached": "Raise `--memory-limit`, or use a larger machine.",
    "DataError": "Give one of the [data sets](../training.md#data-sets).",
    "ArchitectureError": "Correct `--arch`, `--from` or the file that the sentence"
    " names.",
    "DestinationError": "Name another place with `--fout`.",
    "CheckpointError": "Give the options and the data of the checkpoint, or leave"
    " `--resume` out.",
    "SettingsError": "Leave one of the two options out.",
    "SearchMissing": "Install the [extra `tune`](../installing.md).",
    "ClusterFailed": "Follow the sentence, and go on with `--resume`.",
    "WriteFailed": "Make room on the disk, and train again.",
    "TensorFlowMissing": "Install the [extra `train`](../installing.md).",
}


def errors() -> Iterator[type[DomainError]]:
    """Every error, each below the one that it is a kind of."""
    for module in _places():
        import_module(module)
    yield from _below(DomainError)


def _places() -> list[str]:
    return [module for modules in MODULES.values() for module in modules]


def _below(of: type[DomainError]) -> Iterator[type[DomainError]]:
    places = _places()
    found = [error for error in of.__subclasses__() if error.__module__ in places]
    # By their files, and not by which file was imported first.
    for error in sorted(found, key=lambda error: places.index(error.__module__)):
        yield error
        yield from _below(error)


def block(arguments: Sequence[str]) -> str:
    """The table that the argument names."""
    (name,) = arguments
    found = [error for error in errors() if error.__module__ in MODULES[name]]
    asked = ("status", "gRPC", "`reason`") if name == "service" else ()
    heads = ("error", "meaning", *asked, "exit code", "what to do")
    return table(heads, [_row(error, found, name == "service") for error in found])


def _row(
    error: type[DomainError], all_of_it: Sequence[type], has_status: bool
) -> tuple[str, ...]:
    depth = sum(parent in all_of_it for parent in error.__mro__[1:])
    asked = (
        (_status(error), code(_grpc(error)), code(_reason(error)))
        if _status(error)
        else ("", "", "")
    )
    return (
        "&emsp;" * depth + code(error.__name__),
        sentence(docstring.summary(error)),
        *(asked if has_status else ()),
        str(exit_code(error)),
        WHAT_TO_DO[error.__name__],
    )


def _status(error: type[DomainError]) -> str:
    """The status of the reply; nothing where no request can meet the error."""
    from runtime.http.errors import STATUS

    return next((STATUS[e][:3] for e in error.__mro__ if e in STATUS), "")


def _grpc(error: type[DomainError]) -> str:
    """The status of the reply to a call of gRPC."""
    from runtime.grpc.errors import CODE

    return next(CODE[e].name for e in error.__mro__ if e in CODE)


def _reason(error: type[DomainError]) -> str:
    """Its word in the label ``reason`` of the metric ``tfaas_rejects``."""
    from runtime.refusals import reason_of

    return reason_of(error)


def exit_code(error: type[DomainError]) -> int:
    """The exit code of a command that the error ends.

    A command of ``bundle.terminal.Group`` ends with 1 for the disk's refusal and with 2
    for all else; the exporter's and ``runtime models`` know more work that fails.
    """
    from exporter.errors import ExportError
    from runtime.cli.output import WORK_FAILED

    return 1 if issubclass(error, (ExportError, *WORK_FAILED)) else 2
