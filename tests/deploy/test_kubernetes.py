"""The manifests are Kubernetes's, and say of the service what its code says."""

import json
import re
import shutil
import subprocess
from dataclasses import fields

import jsonschema
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from bundle.store import ModelStore
from runtime.cli import main
from runtime.config import Config, config_from_json, load_settings, variable
from runtime.doctor.findings import GRACE_SECONDS
from runtime.http.routes import ROUTES, Lane
from runtime.server.room import ALL_BYTES
from tests.deploy.custom_kinds import SCHEMAS
from tests.deploy.manifests import FOLDER, built, one, read
from tests.examples import write_bundle
from tools.reference.metrics import metrics

# The oldest release that is still mended has preStop's sleep, and so has the newest.
RELEASES = ("1.34", "1.37")
KUSTOMIZED = sorted(path.parent.name for path in FOLDER.glob("*/kustomization.yaml"))
# docs/performance.md: a worker alone, and a process from which trials are forked.
WORKER_BYTES, FORK_SERVER_BYTES = 85_000_000, 60_000_000


def deployment(folder="base"):
    return one(built(FOLDER / folder), "Deployment")


def pod_of(manifest):
    return manifest["spec"]["template"]["spec"]


def container_of(manifest):
    (container,) = pod_of(manifest)["containers"]
    return container


def config_of(folder="base"):
    found = one(built(FOLDER / folder), "ConfigMap", "tfaas-onnx-config")
    return config_from_json(json.loads(found["data"]["config.json"]))


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


def test_each_folder_is_looked_at():
    assert "base" in KUSTOMIZED
    files = {path.relative_to(FOLDER).parts[0] for path in FOLDER.rglob("*.yaml")}
    assert files == {*KUSTOMIZED, "kserve", "prometheus", "ray"}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_manifests_have_the_form_that_kubernetes_publishes(folder, release):
    for manifest in built(FOLDER / folder):
        assert kubernetes_validate.validate(manifest, release, strict=True) == release


@pytest.mark.parametrize(
    "file",
    [
        "prometheus/monitor.yaml",
        "kserve/runtime.yaml",
        "kserve/service.yaml",
        "ray/service.yaml",
    ],
)
def test_manifests_of_other_projects_have_their_form(file):
    (manifest,) = read(FOLDER / file)
    jsonschema.validate(manifest, SCHEMAS[manifest["kind"]])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_kubectl_puts_the_same_together(folder):
    command = ["kubectl", "kustomize", str(FOLDER / folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The name of a generated map ends with a digest of its content.
    told = re.sub(r"(tfaas-onnx-config)-[a-z0-9]{10}", r"\1", told)

    def by_kind(manifest):
        return manifest["kind"], manifest["metadata"]["name"]

    theirs = sorted(yaml.safe_load_all(told), key=by_kind)
    assert theirs == sorted(built(FOLDER / folder), key=by_kind)


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_the_pod_may_do_no_more_than_serve(folder):
    pod = pod_of(deployment(folder))
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    container = container_of(deployment(folder))
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounts["/tmp"] == "temporary"
    assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_the_settings_and_the_ports_agree(folder):
    container, config = container_of(deployment(folder)), config_of(folder)
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"http": config.port, "grpc": config.grpc_port}
    annotations = deployment(folder)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(config.port)
    service = one(built(FOLDER / folder), "Service")
    assert {each["port"]: each["targetPort"] for each in service["spec"]["ports"]} == {
        config.port: "http",
        config.grpc_port: "grpc",
    }
    assert config.host == "0.0.0.0"


def test_the_service_reads_the_variables_and_the_file():
    container = container_of(deployment())
    variables = {each["name"]: each.get("value", "") for each in container["env"]}
    (mount,) = (m for m in container["volumeMounts"] if m["name"] == "config")
    assert variables["TFAAS_CONFIG"] == f"{mount['mountPath']}/config.json"
    digest = "a" * 64
    read_there = load_settings(
        {
            **variables,
            "TFAAS_CONFIG": str(FOLDER / "base" / "config.json"),
            "TFAAS_WRITE_TOKENS": f"{digest},{digest[::-1]}",
            "TFAAS_PREDICT_TOKENS": digest,
        }
    ).config
    assert read_there.write_tokens == (digest, digest)
    assert read_there.workers == config_of().workers
    (models,) = (m for m in container["volumeMounts"] if m["name"] == "models")
    assert str(read_there.model_dir) == models["mountPath"]


def test_the_copy_of_an_object_store_has_its_settings_and_its_room():
    pod, container = pod_of(deployment("objects")), container_of(deployment("objects"))
    given = {each["name"]: each.get("value") for each in container["env"]}
    known = {variable(field.name) for field in fields(Config)} | {"TFAAS_CONFIG"}
    assert given.keys() <= known
    (models,) = (m for m in container["volumeMounts"] if m["name"] == "models")
    assert given["TFAAS_OBJECT_CACHE_DIR"] == models["mountPath"]
    (volume,) = (v for v in pod["volumes"] if v["name"] == "models")
    room = bytes_of(volume["emptyDir"]["sizeLimit"])
    (temporary,) = (v for v in pod["volumes"] if v["name"] == "temporary")
    resources = container["resources"]
    # A version comes before those that were unused longest go.
    assert int(given["TFAAS_OBJECT_CACHE_BYTES"]) <= room * 0.75
    assert room + bytes_of(temporary["emptyDir"]["sizeLimit"]) <= bytes_of(
        resources["limits"]["ephemeral-storage"]
    )
    assert not any(
        each["kind"] == "PersistentVolumeClaim" for each in built(FOLDER / "objects")
    )


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_probes_and_scrapes_ask_routes_that_are_there(folder):
    container = container_of(deployment(folder))
    asked = {
        name: container[name]["httpGet"]["path"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    quiet = {route.path for route in ROUTES if route.is_quiet and route.method == "GET"}
    assert asked["readinessProbe"] == "/readyz"
    assert {*asked.values(), "/metrics"} <= quiet
    assert all(container[name]["httpGet"]["port"] == "http" for name in asked)
    (monitor,) = read(FOLDER / "prometheus" / "monitor.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_the_end_has_time_for_the_requests_in_hand(folder):
    container = container_of(deployment(folder))
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The kubelet must have seen the pod unready, and a hung worker replaced, before.
    grace = pod_of(deployment(folder))["terminationGracePeriodSeconds"] - before
    assert config_of(folder).drain_seconds < GRACE_SECONDS <= grace
    liveness = container["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] > 10 + 2 * 10


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_there_are_a_core_and_the_memory_for_each_worker(folder):
    config, resources = config_of(folder), container_of(deployment(folder))["resources"]
    assert resources["requests"]["cpu"] == str(config.workers)
    assert "cpu" not in resources["limits"]
    needed = (
        config.workers * (WORKER_BYTES + config.cache_bytes + ALL_BYTES)
        + FORK_SERVER_BYTES
        + config.trial_bytes
    )
    assert needed <= bytes_of(resources["limits"]["memory"])
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


@pytest.mark.parametrize("folder", KUSTOMIZED)
def test_each_part_means_these_pods(folder):
    manifests = built(FOLDER / folder)
    labels = deployment(folder)["spec"]["template"]["metadata"]["labels"]
    assert one(manifests, "Service")["spec"]["selector"] == labels
    disruption, network = (
        one(manifests, "PodDisruptionBudget"),
        one(manifests, "NetworkPolicy"),
    )
    assert disruption["spec"]["selector"]["matchLabels"] == labels
    assert network["spec"]["podSelector"]["matchLabels"] == labels
    target = one(manifests, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": deployment(folder)["metadata"]["name"],
    }
    assert "replicas" not in deployment(folder)["spec"], "the autoscaler sets them"
    ports = {p["port"] for rule in network["spec"]["ingress"] for p in rule["ports"]}
    assert ports == {p["name"] for p in container_of(deployment(folder))["ports"]}


def adapter_rule():
    (rule,) = read(FOLDER / "prometheus" / "adapter.yaml")[0]["rules"]["custom"]
    return rule


def test_the_autoscaler_reads_a_metric_that_the_service_has():
    series = re.match(r"\w+", adapter_rule()["seriesQuery"])[0]
    histograms = {each.name for each in metrics() if each.kind == "histogram"}
    assert series.removesuffix("_sum") in histograms
    asked = [
        each["pods"]["metric"]["name"]
        for each in one(built(FOLDER / "base"), "HorizontalPodAutoscaler")["spec"][
            "metrics"
        ]
        if each["type"] == "Pods"
    ]
    assert asked == [adapter_rule()["name"]["as"]]


def test_the_autoscaler_counts_predictions_alone():
    pattern = re.search(r'route=~"(.*?)"', adapter_rule()["metricsQuery"])[1]
    counted = {route.path for route in ROUTES if re.fullmatch(pattern, route.path)}
    predictions = {
        route.path
        for route in ROUTES
        if route.method == "POST" and route.lane is Lane.QUICK
    }
    assert counted == predictions | {"/explain/image"}
    for called in (
        "/inference.GRPCInferenceService/ModelInfer",
        "/tensorflow.serving.PredictionService/Predict",
    ):
        assert re.fullmatch(pattern, called)


def kserve_container():
    (runtime,) = read(FOLDER / "kserve" / "runtime.yaml")
    (container,) = runtime["spec"]["containers"]
    return container


def test_kserves_container_is_one_of_kubernetes():
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": {"containers": [kserve_container()]},
    }
    assert kubernetes_validate.validate(pod, RELEASES[0], strict=True)


def test_kserves_arguments_are_flags_of_the_command():
    (script,) = kserve_container()["args"]
    _, _, flags = script.partition("exec runtime ")
    words = flags.replace("{{.Name}}", "mnist").split()
    told = CliRunner().invoke(main, [*words, "--print-config", "--json"])
    assert told.exit_code == 0, told.output
    settings = {key: each["value"] for key, each in json.loads(told.stdout).items()}
    assert settings["preload"] == ["mnist"]
    probed = {
        kserve_container()[name]["httpGet"]["port"]
        for name in ("readinessProbe", "livenessProbe")
    }
    assert (
        probed
        == {settings["port"]}
        == {kserve_container()["ports"][0]["containerPort"]}
    )
    assert f'ln -sfn /mnt/models "{settings["modelDir"]}/{{{{.Name}}}}"' in script
    needed = (
        settings["workers"] * (WORKER_BYTES + settings["cacheBytes"] + ALL_BYTES)
        + FORK_SERVER_BYTES
        + settings["trialBytes"]
    )
    limit = kserve_container()["resources"]["limits"]["memory"]
    assert needed <= bytes_of(limit)
    paths = {route.path for route in ROUTES}
    assert kserve_container()["readinessProbe"]["httpGet"]["path"] in paths
    assert kserve_container()["livenessProbe"]["httpGet"]["path"] in paths


@pytest.mark.parametrize(
    ("folder", "version"), [("", 0), ("1", 1)], ids=["a bundle", "a model"]
)
def test_a_link_to_what_kserve_brings_is_a_model_of_the_store(
    tmp_path, folder, version
):
    write_bundle(tmp_path / "mnt" / folder)
    models = tmp_path / "models"
    models.mkdir()
    (models / "mnist").symlink_to(tmp_path / "mnt")
    assert ModelStore(models).names() == ["mnist"]
    found = ModelStore(models).current("mnist")
    assert found.number == version
    assert (found.path / "model.onnx").is_file()


def test_kserves_example_asks_for_this_runtime():
    (runtime,) = read(FOLDER / "kserve" / "runtime.yaml")
    (service,) = read(FOLDER / "kserve" / "service.yaml")
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    formats = {each["name"] for each in runtime["spec"]["supportedModelFormats"]}
    assert model["modelFormat"]["name"] in formats


def test_defaults_are_not_said_again():
    given = json.loads((FOLDER / "base" / "config.json").read_text())
    same = {"port", "drainSeconds"}  # other manifests depend on these
    settings = config_from_json(given)
    for key in given.keys() - same:
        name = re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key)
        assert getattr(settings, name) != getattr(Config(), name), key
