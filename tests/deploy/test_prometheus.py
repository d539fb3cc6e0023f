"""The scrapes and alarms of deploy/prometheus, and Prometheus' own word about them."""

import re

import pytest
import yaml

from runtime.config import Config
from runtime.http.routes import ROUTES, Lane
from tests.deploy import expressions
from tests.deploy.tools import DEPLOY, run_tool

FOLDER = DEPLOY / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alarm_asks_metrics_that_there_are(rule):
    expressions.check(rule["expr"])
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}


def test_a_metric_and_a_label_that_are_not_there_are_found():
    for wrong in ("tfaas_request_total > 1", 'tfaas_requests_total{code="500"} > 1'):
        with pytest.raises(AssertionError):
            expressions.check(wrong)


def test_each_alarm_rings_in_an_example():
    examples = (FOLDER / "alerts_test.yml").read_text()
    rung = set(re.findall(r"(?:alertname=\"|alertname: )(\w+)", examples))
    assert rung == {rule["alert"] for rule in RULES}


@pytest.mark.slow
def test_prometheus_rings_the_alarms_of_the_examples():
    told = run_tool(
        "promtool", "test", "rules", FOLDER / "alerts_test.yml", package="prometheus"
    )
    assert "SUCCESS" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prometheus.yml", "compose.yml"])
def test_prometheus_takes_the_settings(name):
    told = run_tool("promtool", "check", "config", FOLDER / name, package="prometheus")
    assert f"{len(RULES)} rules found" in told


def test_the_service_is_asked_at_its_port():
    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text())[
            "scrape_configs"
        ]
    }
    ((target,),) = (each["targets"] for each in jobs["tfaas-onnx"]["static_configs"])
    assert target == f"localhost:{Config().port}"
    named = {
        found for rule in RULES for found in re.findall(r'job="(.*?)"', rule["expr"])
    }
    assert named <= jobs.keys()


def test_slow_uploads_are_no_slow_predictions():
    (slow,) = (rule["expr"] for rule in RULES if rule["alert"] == "TfaasSlow")
    pattern = re.search(r'route=~"(.*?)"', slow)[1]
    counted = {route.path for route in ROUTES if re.fullmatch(pattern, route.path)}
    quick = {r.path for r in ROUTES if r.method == "POST" and r.lane is Lane.QUICK}
    other_names = {"/image", "/json", "/proto"}
    classify = {path for path in quick if path.endswith((":classify", ":regress"))}
    assert counted == quick - other_names - classify | {"/explain/image"}
