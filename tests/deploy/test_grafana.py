"""The board of Grafana asks metrics that there are, in words of PromQL."""

import json
import re

import pytest
import yaml

from tests.deploy import expressions
from tests.deploy.tools import DEPLOY, run_tool

FOLDER = DEPLOY / "grafana"
BOARD = json.loads((FOLDER / "board.json").read_text())
EXPRESSIONS = [
    *(target["expr"] for panel in BOARD["panels"] for target in panel["targets"]),
    *(note["expr"] for note in BOARD["annotations"]["list"]),
]
VARIABLES = {each["name"] for each in BOARD["templating"]["list"]}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_metrics_that_there_are(expression):
    expressions.check(expression)
    used = set(re.findall(r"\$(\w+)", expression))
    assert used <= VARIABLES | {"__rate_interval"}


def test_the_choices_are_labels_that_there_are():
    for each in BOARD["templating"]["list"]:
        if each["type"] == "query":
            metric, label = re.fullmatch(
                r"label_values\((\w+), (\w+)\)", each["query"]["query"]
            ).groups()
            assert label in expressions.series()[metric] | {"instance"}


@pytest.mark.slow
def test_prometheus_reads_all_expressions(tmp_path):
    """Grafana puts the values of variables in before it asks."""
    rules = [
        {
            "record": f"board:{index}",
            "expr": expression.replace("$__rate_interval", "5m")
            .replace("$instance", ".*")
            .replace("$model", ".*"),
        }
        for index, expression in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    told = run_tool("promtool", "check", "rules", path, package="prometheus")
    assert f"{len(rules)} rules found" in told


def test_panels_lie_beside_each_other():
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(numbers) == len(set(numbers))


def test_the_provisioned_folder_has_the_board():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounts = dict(
        mount.split(":")[:2] for mount in compose["services"]["grafana"]["volumes"]
    )
    (provider,) = yaml.safe_load((FOLDER / "boards.yaml").read_text())["providers"]
    folder, _, _ = mounts["./grafana/board.json"].rpartition("/")
    assert folder == provider["options"]["path"]
    (source,) = yaml.safe_load((FOLDER / "datasource.yaml").read_text())["datasources"]
    host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
    assert compose["services"][host]["ports"] == [f"127.0.0.1:{port}:{port}"]
