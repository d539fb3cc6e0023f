import pytest

from runtime.config import Config, ConfigError
from runtime.ray.scale import Scale


def test_a_fixed_number_of_replicas_has_no_autoscaling():
    options = Scale(min_replicas=3).as_options(Config(threads=4, max_queue=10))
    assert options["num_replicas"] == 3
    assert "autoscaling_config" not in options
    assert options["max_ongoing_requests"] == 14
    assert options["ray_actor_options"] == {"num_cpus": 1.0, "num_gpus": 0.0}


def test_replicas_are_added_by_the_requests_that_each_answers():
    scale = Scale(1, 4, target_ongoing_requests=8, gpus_per_replica=0.5)
    options = scale.as_options(Config(provider="cuda", drain_seconds=7))
    assert options["autoscaling_config"] == {
        "min_replicas": 1,
        "max_replicas": 4,
        "target_ongoing_requests": 8,
    }
    assert options["ray_actor_options"]["num_gpus"] == 0.5
    assert options["graceful_shutdown_timeout_s"] == 7.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"min_replicas": 0}, "minReplicas is 0"),
        ({"min_replicas": 3, "max_replicas": 2}, "fewer than minReplicas"),
        ({"target_ongoing_requests": 0}, "targetOngoingRequests"),
        ({"target_ongoing_requests": float("nan")}, "targetOngoingRequests"),
        ({"cpus_per_replica": -1}, "cpusPerReplica"),
        ({"gpus_per_replica": 1.5}, "a share of one GPU"),
        ({"gpus_per_replica": -0.5}, "a share of one GPU"),
    ],
)
def test_a_number_that_cannot_work_is_refused(given, words):
    with pytest.raises(ConfigError, match=words):
        Scale(**given)


def test_cuda_needs_a_gpu_that_ray_reserves():
    with pytest.raises(ConfigError, match="--gpus-per-replica"):
        Scale().as_options(Config(provider="cuda"))
