"""The page tells whether the model on show is still right."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.end_to_end.conftest import CLIENT, RUNTIME, serving
from tests.examples import write_bundle
from tests.runtime.watching.examples import images, write_watched

HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serve models with and without a test set to compare with."""
    folder = tmp_path_factory.mktemp("watching")
    for name in ("dark", "compared"):
        write_watched(folder / "models" / name / "1", name=name)
    write_bundle(folder / "models" / "plain" / "1", name="plain")
    (folder / "config.json").write_text('{"driftItems": 100}')
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield server


def test_a_drift_appears_on_an_open_page(page, server):
    """Darker pictures than those of the test set come while somebody looks."""
    page.clock.install()
    page.goto(f"{server.url}/#/dark")
    card = page.get_by_role("region", name="Is it still right?")
    expect(card).to_contain_text("too few items to judge")
    expect(card).to_contain_text("0 items in the last 60 minutes")
    expect(card).to_contain_text("100 are needed")
    expect(card).not_to_contain_text("Live parity")  # parityShare is 0

    told = f"{server.url}/models/dark/1"
    for seed in (1, 2):
        pixels = (images(seed, 50) // 3).tolist()
        body = {"model": "dark", "inputs": {"pixels": pixels}}
        CLIENT.post(f"{server.url}/predict/json", json=body).raise_for_status()
        CLIENT.get(told).raise_for_status()  # counts what came
    page.clock.run_for(30_000)
    expect(card).to_contain_text("100 items in the last 60 minutes")
    expect(card.locator('.chip[data-is="bad"]').first).to_have_text("drifted")
    expect(card).to_contain_text("Train with inputs like them")
    mean = CLIENT.get(told).json()["watching"]["drift"]["psi"]["mean"]
    expect(card).to_contain_text(f"mean {mean:.2f}")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_difference_to_tensorflow_is_shown_with_its_reason(page, server):
    parity = {
        "state": "differs",
        "reason": "TensorFlow itself answers",
        "share": 5,
        "compared": 40,
        "differing": 1,
        "failed": 0,
        "dropped": 3,
        "max_abs_diff": 0.0123,
    }

    def differ(route):
        reply = route.fetch()
        model = reply.json()
        for version in model["versions"]:
            version["watching"] = {"parity": parity, "drift": None}
            version["fallback_reason"] = f"live parity: {HTML}"
        route.fulfill(response=reply, body=json.dumps(model))

    page.route("**/models/compared", differ)
    page.goto(f"{server.url}/#/compared")
    card = page.get_by_role("region", name="Is it still right?")
    expect(card.locator(".chip")).to_have_text(
        [
            "TensorFlow differs",
            "5 % of the requests asked",
            "40 compared",
            "1 difference",
            "largest 1.2e-2",
            "3 left out",
        ]
    )
    told = card.locator('.notice[data-is="warn"]')
    expect(told).to_have_text(f"TensorFlow answers now: live parity: {HTML}")
    assert page.locator("img[src=x]").count() == 0


def test_a_model_that_is_not_compared_has_no_such_part(page, server):
    page.goto(f"{server.url}/#/plain")
    expect(page.get_by_role("region", name="Versions", exact=True)).to_be_visible()
    expect(page.get_by_text("Is it still right?")).to_be_hidden()
