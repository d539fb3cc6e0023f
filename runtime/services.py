"""The service's parts over one store, wired together without HTTP."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bundle.store import ModelStore
from runtime import walls
from runtime.backends.options import BackendOptions
from runtime.backends.session_config import read_session_config
from runtime.backends.tensorflow_process import TensorFlowProcesses
from runtime.catalogue import Catalogue
from runtime.config import Config, ConfigError
from runtime.conversion.conversions import Conversions
from runtime.conversion.converter import Converter
from runtime.conversion.exporter import exporter_for
from runtime.feedback.feedback import Feedback
from runtime.feedback.folder import FeedbackFolder
from runtime.mirroring import open_served
from runtime.models.lookup import Lookup
from runtime.models.opening import Opener
from runtime.models.preload import Preloader
from runtime.models.readiness import Readiness
from runtime.models.registry import ModelRegistry
from runtime.models.router import Router
from runtime.models.sweeper import Sweeper
from runtime.prediction.predictor import Predictor
from runtime.prediction.shadow import Shadow
from runtime.publishing.publisher import Publisher
from runtime.publishing.repository import Repository
from runtime.publishing.trial import ChildTrial, fork_servers
from runtime.telemetry.logs import set_levels
from runtime.watching.watch import Watch

# Nobody waits for the answers that are compared, so requests go before them.
_NICENESS = 15

if TYPE_CHECKING:
    from runtime.access.limiter import RateLimiter


@dataclass(frozen=True)
class Services:
    """The parts of the service, which the resources call.

    Attributes:
        config: the settings that all parts follow.
        started: the time of the service's start, by ``time.monotonic``.
    """

    config: Config
    store: ModelStore
    registry: ModelRegistry
    opener: Opener
    trial: ChildTrial
    shadow: Shadow | None
    predictor: Predictor
    publisher: Publisher
    catalogue: Catalogue
    repository: Repository
    preloader: Preloader
    sweeper: Sweeper
    converter: Converter
    limiter: RateLimiter | None
    watch: Watch
    feedback: Feedback | None
    max_store_age: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def renewed(self, config: Config) -> Services:
        """Make the parts anew that differ with other settings; nothing changes yet.

        Args:
            config: settings that differ in hot ones alone; see ``Config``.
        """
        old, shadow, predictor = self.config, self.shadow, self.predictor
        if config.shadow != old.shadow:
            shadow = _shadow(config, self.registry, self.store)
        if (config.shadow, config.traffic) != (old.shadow, old.traffic):
            predictor = _predictor(config, self.registry, shadow)
        is_kept = _feedback_settings(config) == _feedback_settings(old)
        return replace(
            self,
            config=config,
            shadow=shadow,
            predictor=predictor,
            # A limiter holds the counts of all clients.
            limiter=self.limiter if config.rate == old.rate else _limiter(config),
            feedback=self.feedback if is_kept else _feedback(config, self.registry),
        )

    def follow(self) -> None:
        """Let the parts that old and new services share follow these settings."""
        config = self.config
        set_levels(config)
        self.store.keep_versions(config.keep_versions)
        self.publisher.max_bytes = config.max_upload_bytes
        self.opener.options = self.trial.options = _options_of(config)
        self.registry.resize(config.cache_limit, config.cache_bytes)

    def reopen(self, before: Services) -> None:
        """Open models anew whose settings changed, which takes as long as their loads.

        Until then they serve as they were.

        Args:
            before: the services with the settings before; they are not used any more.
        """
        if before.shadow is not None and before.shadow is not self.shadow:
            before.shadow.stop()
        self.watch.renew(self.config)
        options, old = _options_of(self.config), _options_of(before.config)
        self.registry.reopen(lambda name: options.differ(old, name))

    def readiness(self) -> Readiness:
        """Return what tells whether the service should get requests."""
        return Readiness(self.store, self.preloader, self.max_store_age)


def create_services(config: Config) -> Services:
    """Wire the service's parts, and remove what crashes left behind.

    Raises:
        ConfigError: ``modelDir`` is a file, ``configProto`` cannot be read, or this
            process cannot become ``runAsUser``.
        ProviderError: config.json asks for CUDA, and this onnxruntime has none.
    """
    folder = config.store_folder
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"'modelDir' is {folder}, which is not a folder")
    walls.check(config.walls, config.run_as_user)
    if config.provider == "cuda":
        from runtime.backends.onnx import require_cuda

        require_cuda()
    servers = fork_servers()
    tensorflow = TensorFlowProcesses(
        servers[1],
        read_session_config(config.config_proto, config.intra_op_threads),
        seconds=config.trial_seconds,
        run_seconds=config.trial_seconds,
        max_bytes=config.trial_bytes,
        policy=config.walls,
        user=config.run_as_user,
    )
    options = _options_of(config)
    opener = Opener(options, tensorflow.open)
    store = open_served(config)
    store.sweep()
    watch = Watch(config, functools.partial(tensorflow.open, niceness=_NICENESS))
    registry = ModelRegistry(
        store.here,
        watch.opening(store.holding(opener)),
        config.cache_limit,
        config.cache_bytes,
        Lookup(store.here),
        source=store,
    )
    trial = ChildTrial(
        servers,
        options,
        trusted=config.trust_uploads,
        seconds=config.trial_seconds,
        max_bytes=config.trial_bytes,
        policy=config.walls,
        user=config.run_as_user,
    )
    conversions = Conversions(store.here, config, is_own=store.is_own)
    converter = Converter(
        store.here,
        registry,
        conversions,
        config.export_seconds,
        config.export_bytes,
        exporter_for(config),
        store.share,
    )
    shadow = _shadow(config, registry, store)
    return Services(
        config=config,
        store=store,
        registry=registry,
        opener=opener,
        trial=trial,
        shadow=shadow,
        predictor=_predictor(config, registry, shadow),
        publisher=Publisher(
            store, registry, trial, config.max_upload_bytes, converter.wake
        ),
        catalogue=Catalogue(store, registry, conversions, watch),
        repository=Repository(store, registry),
        preloader=Preloader(registry, store, config.preload),
        sweeper=Sweeper(registry),
        converter=converter,
        limiter=_limiter(config),
        watch=watch,
        feedback=_feedback(config, registry),
        max_store_age=config.object_max_age_seconds,
    )


def _options_of(config: Config) -> BackendOptions:
    return BackendOptions(
        onnx=config.onnx,
        provider=config.provider,
        variant=config.variant,
        max_batch_size=config.max_batch_size,
        batching=config.batching,
        max_queue=config.max_queue,
        max_queue_delay_us=config.max_queue_delay_us,
        intra_op_threads=config.intra_op_threads,
        threads=config.threads,
        models=config.models,
    )


def _shadow(
    config: Config, registry: ModelRegistry, store: ModelStore
) -> Shadow | None:
    return Shadow(registry, store.here, config.shadow) if config.shadow else None


def _predictor(
    config: Config, registry: ModelRegistry, shadow: Shadow | None
) -> Predictor:
    models = Router(registry, config.traffic) if config.traffic else registry
    return Predictor(models, shadow)


def _feedback_settings(config: Config) -> tuple[str, int, int]:
    return config.feedback_dir, config.feedback_bytes, config.feedback_items


def _feedback(config: Config, registry: ModelRegistry) -> Feedback | None:
    if not config.feedback_dir:
        return None
    folder = FeedbackFolder(
        Path(config.feedback_dir),
        config.feedback_bytes,
        config.feedback_items,
        threads=max(1, config.threads - 1),  # one is left for other requests
    )
    folder.sweep()
    return Feedback(registry.get, folder)


def _limiter(config: Config) -> RateLimiter | None:
    if not config.rate:
        return None
    # The import stands here, because the library takes 3 MB of each worker.
    from runtime.access.limiter import RateLimiter

    return RateLimiter(config.rate)
