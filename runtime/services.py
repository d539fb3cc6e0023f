"""The service's parts over one store, wired together without HTTP."""

from __future__ import annotations

import functools
from dataclasses import dataclass
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
from runtime.mirroring import open_served
from runtime.models.lookup import Lookup
from runtime.models.opening import open_model
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
from runtime.watching.watch import Watch

# Nobody waits for the answers that are compared, so requests go before them.
_NICENESS = 15

if TYPE_CHECKING:
    from runtime.access.limiter import RateLimiter


@dataclass(frozen=True)
class Services:
    """The parts of the service, which the resources call."""

    store: ModelStore
    registry: ModelRegistry
    predictor: Predictor
    publisher: Publisher
    catalogue: Catalogue
    repository: Repository
    preloader: Preloader
    sweeper: Sweeper
    converter: Converter
    limiter: RateLimiter | None
    watch: Watch
    max_store_age: float = 0.0

    def readiness(self) -> Readiness:
        """Return what tells whether the service should get requests."""
        return Readiness(self.store, self.preloader, self.max_store_age)


def create_services(config: Config) -> Services:
    """Wire the service's parts, and remove what crashes left in the store.

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
    options = BackendOptions(
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
    store = open_served(config)
    store.sweep()
    watch = Watch(config, functools.partial(tensorflow.open, niceness=_NICENESS))
    registry = ModelRegistry(
        store.here,
        watch.opening(
            store.holding(
                functools.partial(
                    open_model, options=options, open_tensorflow=tensorflow.open
                )
            )
        ),
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
    return Services(
        store=store,
        registry=registry,
        predictor=Predictor(
            Router(registry, config.traffic) if config.traffic else registry,
            Shadow(registry, store.here, config.shadow) if config.shadow else None,
        ),
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
        max_store_age=config.object_max_age_seconds,
    )


def _limiter(config: Config) -> RateLimiter | None:
    if not config.rate:
        return None
    # The import stands here, because the library takes 3 MB of each worker.
    from runtime.access.limiter import RateLimiter

    return RateLimiter(config.rate)
