"""The page at /docs works in a browser, under its own policy and a base, with tokens.

``page`` fails a test whose page breaks the policy, or asks another host.
"""

import hashlib
import json

import pytest

from runtime.http.routes import ROUTES
from tests.end_to_end.conftest import RUNTIME, serving
from tests.examples import write_bundle


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    """Return the address of the page, for a service that asks for tokens."""
    folder = tmp_path_factory.mktemp("docs")
    write_bundle(folder / "models" / "linear" / "1")
    settings = {
        "base": "/ml",
        "predictTokens": [hashlib.sha256(b"reader").hexdigest()],
    }
    (folder / "config.json").write_text(json.dumps(settings))
    with serving(f"{RUNTIME} --workers 1", folder) as server:
        yield f"{server.url}/ml/docs"


def execute(page, operation):
    """Send an operation's example, and return the status and the whole answer."""
    block = page.locator(f"[id$='-{operation}']")
    block.locator(".opblock-summary").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table tbody tr").first
    status = answer.locator(".response-col_status").inner_text()
    return status.strip(), answer.inner_text()


def test_it_shows_all_routes_and_sends_requests_with_a_token(docs, page, faults):
    page.goto(docs)
    page.locator(".opblock").first.wait_for()
    assert page.locator(".opblock").count() == len(ROUTES)
    faults.expect("401")  # the browser notes each refused request
    assert execute(page, "get_models")[0] == "401"
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".auth-container").first
    dialog.locator("input").fill("reader")
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").click()
    status, answer = execute(page, "post_predict_json")
    assert status == "200"
    assert "x-model-backend: onnxruntime" in answer
    # An icon, a file to save, and a schema with all of its parts are shown, too.
    assert execute(page, "get_favicon_ico")[0] == "200"
    assert execute(page, "get_models_name_version_bundle")[0] == "200"


def test_a_browser_without_scripts_shows_the_list_of_routes(docs, browser):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(docs)
        rows = page.locator("main td:first-child").all_inner_texts()
    assert rows == [f"{route.method} /ml{route.shown}" for route in ROUTES]
