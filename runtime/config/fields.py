"""The settings of the service: each has its key, default, check and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bundle.errors import DomainError
from bundle.objects.address import Place, cache_of
from bundle.params import MODEL_NAME
from bundle.variants import Variant
from runtime.config import checks
from runtime.config.checks import Check

OnnxPolicy = Literal["prefer", "require", "off"]


Provider = Literal["auto", "cpu", "cuda"]


LogFormat = Literal["plain", "json"]


ExportPolicy = Literal["auto", "off"]


Batching = Literal["auto", "on", "off"]


Walls = Literal["auto", "require", "off"]


ParityFailure = Literal["warn", "fallback"]


Drift = Literal["auto", "off"]


class ConfigError(DomainError):
    """A setting is wrong; the sentence names the key and where it was set."""


# These settings may differ from model to model; ``runtime tune`` finds their values.
OF_A_MODEL = (
    "batching",
    "intra_op_threads",
    "max_batch_size",
    "max_queue",
    "max_queue_delay_us",
)


def _models(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object, such as {"mnist": {"batching": "on"}}')
    known = {key(f.name): f for f in fields(Config) if f.name in OF_A_MODEL}
    models: dict[str, dict[str, Any]] = {}
    for name, given in value.items():
        if not MODEL_NAME.fullmatch(name):
            raise ValueError(f"has {name[:128]!r}, which is no model's name")
        if not isinstance(given, dict):
            raise ValueError(f"must give {name!r} an object of settings")
        models[name] = {}
        for setting, wanted in given.items():
            if setting not in known:
                raise ValueError(
                    f"gives {name!r} an unknown key {setting[:64]!r}; there are"
                    f" {', '.join(known)}"
                )
            of = known[setting]
            try:
                models[name][of.name] = of.metadata["check"](wanted)
            except ValueError as ex:
                raise ValueError(f"gives {name!r} a {setting!r} that {ex}") from None
    return models


def _setting(default: Any, check: Check, what: str, *, hot: bool) -> Any:
    metadata = {"check": check, "what": what, "hot": hot}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


_BYTES = checks.whole(1, 1 << 40)


@dataclass(frozen=True)
class Config:
    """The service's settings.

    Each has a text ``what``, its line in ``--help``, and is ``hot`` if SIGHUP changes
    it while the service runs. Sockets, threads, the store, the engines and the walls
    are made once, at the start.
    """

    # TFaaS's port.
    port: int = _setting(
        8083,
        checks.whole(0, 65535),
        "Listen on this port; 0 takes a free one.",
        hot=False,
    )
    # The default admits only this machine, because uploads need no token by default.
    host: str = _setting(
        "127.0.0.1",
        checks.host,
        "Listen on this address; 0.0.0.0 is every address.",
        hot=False,
    )
    # Triton's port is 8001. The door needs the extra 'grpc'.
    grpc_port: int = _setting(
        0,
        checks.whole(0, 65535),
        "Answer gRPC on this port, such as 8001; 0 is off.",
        hot=False,
    )
    # The path is relative to the working folder, as in TFaaS.
    model_dir: Place = _setting(
        Path("models"),
        checks.place,
        "Keep the models in this folder, the store; or in an object store, such as"
        " s3://bucket/models.",
        hot=False,
    )
    # A model is loaded from files, so the machine has a copy of what it serves.
    object_cache_dir: str = _setting(
        "",
        checks.text,
        "Keep this machine's copy of an object store below this folder; empty is the"
        " user's own folder of caches.",
        hot=False,
    )
    object_cache_bytes: int = _setting(
        20 << 30,
        _BYTES,
        "Keep at most this many bytes of an object store's models.",
        hot=False,
    )
    # One look is one small request while nothing changes. 1,000 machines make 500 of
    # them a second, a tenth of what one prefix of Amazon's store answers.
    object_poll_seconds: int = _setting(
        2,
        checks.whole(1, 3600),
        "Look for changes of an object store every so many seconds.",
        hot=False,
    )
    # Loaded models serve on. This is for people who would rather have no answers than
    # old ones.
    object_max_age_seconds: int = _setting(
        0,
        checks.whole(0, 30 * 86400),
        "Be not ready while the object store was not read for so many seconds; 0 is"
        " never.",
        hot=False,
    )
    # A proxy may hand one path of a site over to the service.
    base: str = _setting(
        "",
        checks.base,
        "Put this prefix before every route.",
        hot=False,
    )
    # TFaaS serves these three folders, too.
    static_dir: str = _setting(
        "static",
        checks.text,
        "Serve /js, /css and /images from this folder.",
        hot=True,
    )
    config_proto: str = _setting(
        "",
        checks.text,
        "Give TensorFlow the serialized tensorflow.ConfigProto of this file.",
        hot=False,
    )
    server_key: str = _setting(
        "",
        checks.text,
        "Speak TLS with the key of this PEM file.",
        hot=True,
    )
    server_crt: str = _setting(
        "",
        checks.text,
        "Speak TLS with the certificate of this PEM file.",
        hot=True,
    )
    write_tokens: tuple[str, ...] = _setting(
        (),
        checks.digests,
        "Admit uploads, deletes and other writes with tokens of these SHA-256.",
        hot=True,
    )
    write_tokens_file: str = _setting(
        "",
        checks.text,
        "Admit writes with the SHA-256 of this file too, one on each line.",
        hot=True,
    )
    predict_tokens: tuple[str, ...] = _setting(
        (),
        checks.digests,
        "Admit predictions with tokens of these SHA-256; without any, everybody may"
        " predict.",
        hot=True,
    )
    predict_tokens_file: str = _setting(
        "",
        checks.text,
        "Admit predictions with the SHA-256 of this file too, one on each line.",
        hot=True,
    )
    # A proxy may keep a token of its own in Authorization.
    token_header: str = _setting(
        "Authorization",
        checks.header,
        "Read the client's token from this header, where a proxy needs Authorization.",
        hot=True,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        checks.networks,
        'Believe the X-Forwarded-For of these networks, such as ["10.0.0.0/8"].',
        hot=True,
    )
    # A browser lets a page ask another origin if the reply allows it.
    cors_origins: tuple[str, ...] = _setting(
        (),
        checks.origins,
        'Let web pages of these origins ask, such as ["https://lab.example"]; ["*"] is'
        " every page.",
        hot=True,
    )
    rate: str = _setting(
        "",
        checks.rate,
        "Let a client make this many requests, such as 100-S; empty is no limit.",
        hot=True,
    )
    # 0 logs warnings and requests, 1 also loads and publications, 2 also debugging.
    verbose: int = _setting(
        0,
        checks.whole(0, 2),
        "Log warnings (0), also loads and uploads (1), also debugging (2).",
        hot=True,
    )
    # The service adds the host and the day to the name, as TFaaS does.
    log_file: str = _setting(
        "",
        checks.text,
        "Log to files of this name, one a day; empty is standard error.",
        hot=False,
    )
    log_format: LogFormat = _setting(
        "plain",
        checks.one_of(LogFormat),
        "Write plain lines, or JSON lines.",
        hot=False,
    )
    access_log: bool = _setting(
        True,
        checks.flag,
        "Log one line for each request.",
        hot=True,
    )
    monit_record: bool = _setting(
        False,
        checks.flag,
        "Print CERN MONIT's record of each request on standard output.",
        hot=True,
    )
    # Spans need the extra 'tracing'. OTEL_EXPORTER_OTLP_ENDPOINT names their receiver.
    tracing: bool = _setting(
        False,
        checks.flag,
        "Send an OpenTelemetry span of each request.",
        hot=False,
    )
    cache_limit: int = _setting(
        10,
        checks.whole(1, 1_000_000),
        "Keep at most this many model versions in memory.",
        hot=True,
    )
    # The bytes of a model are those of its files, which are mostly weights. Nobody
    # knows how much memory an engine adds before it runs.
    cache_bytes: int = _setting(
        4 << 30,
        _BYTES,
        "Keep at most this many bytes of model files in memory.",
        hot=True,
    )
    keep_versions: int = _setting(
        5,
        checks.whole(0, 1_000_000),
        "Keep this many versions of a model without a label; 0 keeps all.",
        hot=True,
    )
    traffic: Mapping[str, float] = _setting(
        {},
        checks.traffic,
        'Send a share of the requests to a label: {"canary": 10} is 10 %.',
        hot=True,
    )
    shadow: str = _setting(
        "",
        checks.label,
        "Also run requests on the version with this label, and compare the answers.",
        hot=True,
    )
    # Each compared request costs one run of TensorFlow, in a process of low priority.
    parity_share: float = _setting(
        0.0,
        checks.share,
        "Let TensorFlow answer this share of the requests too, in percent, and compare"
        " the answers.",
        hot=True,
    )
    # A fallback is slower, and a client that knows a bad input can bring it about. So
    # somebody has to ask for it.
    on_parity_failure: ParityFailure = _setting(
        "warn",
        checks.one_of(ParityFailure),
        "Warn of an answer that TensorFlow gives otherwise, or let TensorFlow serve"
        " the version (fallback).",
        hot=True,
    )
    # auto compares where the bundle has the distributions of its test set.
    drift: Drift = _setting(
        "auto",
        checks.one_of(Drift),
        "Compare inputs and answers with the model's test set (auto), or never (off).",
        hot=True,
    )
    drift_seconds: int = _setting(
        3600,
        checks.whole(60, 30 * 86400),
        "Compare the inputs and answers of this many seconds.",
        hot=True,
    )
    # From 500 items on, chance alone moves ten bins by some 0.02, far less than 0.1.
    drift_items: int = _setting(
        500,
        checks.whole(1, 1_000_000),
        "Compare from this many inputs on.",
        hot=True,
    )
    # Pictures and rows of people are kept only if the owner of the service says so.
    feedback_dir: str = _setting(
        "",
        checks.text,
        "Keep the pictures and rows of POST /feedback, with their right labels, in this"
        " folder; empty keeps none.",
        hot=True,
    )
    feedback_bytes: int = _setting(
        1 << 30,
        _BYTES,
        "Keep at most this many bytes of feedback.",
        hot=True,
    )
    # While the folder is full, it is counted anew every few seconds; so many pictures
    # take 50 ms.
    feedback_items: int = _setting(
        10_000,
        checks.whole(1, 100_000),
        "Keep at most this many pictures and rows of feedback.",
        hot=True,
    )
    preload: tuple[str, ...] = _setting(
        (),
        checks.names,
        'Load these models before the service is ready; ["*"] is all.',
        hot=False,
    )
    # prefer takes ONNX Runtime, and TensorFlow where ONNX Runtime fails. require takes
    # ONNX Runtime, or gives an error. off takes TensorFlow.
    onnx: OnnxPolicy = _setting(
        "prefer",
        checks.one_of(OnnxPolicy),
        "Prefer ONNX Runtime to TensorFlow, require it, or never use it (off).",
        hot=False,
    )
    # This is for models whose params.json names no variant. The answers of fp16 and
    # int8 differ a little, so a model gets them only if somebody asks for them.
    variant: Variant = _setting(
        "fp32",
        checks.one_of(Variant),
        "Serve each model in fp32, fp16 (for CUDA) or int8.",
        hot=True,
    )
    # auto takes CUDA if a trial with it works, and else the CPU. cuda takes CUDA, or
    # gives an error.
    provider: Provider = _setting(
        "auto",
        checks.one_of(Provider),
        "Run on CUDA where it works (auto), on the CPU, or on CUDA alone.",
        hot=False,
    )
    # auto converts where the extra 'export' is installed. TensorFlow serves an upload
    # without ONNX until its model.onnx is there and proved.
    export_on_upload: ExportPolicy = _setting(
        "auto",
        checks.one_of(ExportPolicy),
        "Add a proved model.onnx to uploads without one (auto), or never (off).",
        hot=False,
    )
    # The largest of keras.applications take minutes on one busy core.
    export_seconds: int = _setting(
        900,
        checks.whole(1, 86400),
        "End a conversion that takes more seconds.",
        hot=False,
    )
    # TensorFlow and ONNX Runtime themselves take half a gigabyte, and a conversion
    # holds a model's weights some five times. So an upload of 'maxUploadBytes' fits.
    export_bytes: int = _setting(
        8 << 30,
        _BYTES,
        "End a conversion that takes more bytes of memory.",
        hot=False,
    )
    # TensorFlow's import, a load and a warm-up take seconds; large models take minutes.
    trial_seconds: int = _setting(
        120,
        checks.whole(1, 86400),
        "End the trial of an upload that takes more seconds.",
        hot=False,
    )
    trial_bytes: int = _setting(
        8 << 30,
        _BYTES,
        "End the trial of an upload that takes more bytes of memory.",
        hot=False,
    )
    trust_uploads: bool = _setting(
        False,
        checks.flag,
        "Take uploads with any operator; they may read and write files.",
        hot=False,
    )
    # auto builds the walls that the kernel offers, and warns of the missing ones.
    # require opens no stranger's model where files or sockets are not walled off. off
    # is for an engine or a driver that does not work behind walls.
    walls: Walls = _setting(
        "auto",
        checks.one_of(Walls),
        "Let the kernel wall other people's models off: as well as it can (auto),"
        " wholly, or refuse the models (require), or never (off).",
        hot=False,
    )
    # Root can give its rights up; another user has none to give.
    run_as_user: str = _setting(
        "",
        checks.text,
        "Open other people's models as this user, where root starts the service.",
        hot=False,
    )
    # A larger request is run in pieces. New versions are warmed with 1 item and with
    # this many.
    max_batch_size: int = _setting(
        32,
        checks.whole(1, 4096),
        "Run a model on at most this many items at once.",
        hot=True,
    )
    # auto measures each model when it is loaded, and runs batches if they are faster.
    batching: Batching = _setting(
        "auto",
        checks.one_of(Batching),
        "Run requests that queue as one batch: where it pays (auto), on or off.",
        hot=True,
    )
    max_queue: int = _setting(
        256,
        checks.whole(1, 1_000_000),
        "Let this many requests wait for a model; more get 503.",
        hot=False,
    )
    # With 0 a batch is the requests that queued while the last batch ran. On a GPU some
    # hundred microseconds may be better.
    max_queue_delay_us: int = _setting(
        0,
        checks.whole(0, 1_000_000),
        "Let a batch wait this many microseconds to be full.",
        hot=True,
    )
    timeout_ms: int = _setting(
        0,
        checks.whole(0, 86_400_000),
        "Answer 504 to a request that still waits after this many milliseconds; 0 is"
        " never.",
        hot=True,
    )
    intra_op_threads: int = _setting(
        1,
        checks.whole(0, 1024),
        "Give one run this many threads; 0 is one for each core.",
        hot=False,
    )
    models: Mapping[str, Mapping[str, Any]] = _setting(
        {},
        _models,
        'Set maxBatchSize and others for one model: {"mnist": {"maxBatchSize": 8}}.',
        hot=True,
    )
    # The service starts one process for each core on the CPU, and one with CUDA, whose
    # memory holds one copy of a model better than many.
    workers: int = _setting(
        0,
        checks.whole(0, 1024),
        "Serve with this many processes; 0 is one for each core.",
        hot=False,
    )
    # A process has more threads: one for quick requests, and some for streamed bodies.
    threads: int = _setting(
        4,
        checks.whole(1, 1024),
        "Give each process this many threads for requests that are not quick.",
        hot=False,
    )
    # Kubernetes kills a process after 30 s; the service must have ended before.
    drain_seconds: int = _setting(
        20,
        checks.whole(1, 3600),
        "Give requests in hand this many seconds when the service ends; systemd,"
        " Kubernetes or compose must wait longer.",
        hot=True,
    )
    # A 16 Mpx camera JPEG has 10 MB.
    max_body_bytes: int = _setting(
        32 << 20,
        _BYTES,
        "Refuse predictions whose request has more bytes.",
        hot=False,
    )
    max_upload_bytes: int = _setting(
        1 << 30,
        _BYTES,
        "Refuse uploads that unpack to more bytes.",
        hot=True,
    )

    @property
    def store_folder(self) -> Path:
        """The folder that is served: the store, or the copy of an object store."""
        if isinstance(self.model_dir, Path):
            return self.model_dir
        return cache_of(self.model_dir, self.object_cache_dir)


def key(name: str) -> str:
    """Return a field's name in config.json: ``model_dir`` is ``modelDir``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
