"""A person opens the page, tries models, and changes the store."""

import ast
import base64
import hashlib
import json
import re
import shlex
import shutil
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bundle.sample import read_sample
from tests.end_to_end.browser.pages import THREE, draw, drop, hasten, paste
from tests.end_to_end.conftest import CLIENT, RUNTIME, serving
from tests.examples import linear_onnx, mixed_onnx, tar_of, write_bundle
from tests.forms import png
from tests.mixed import FEATURES
from tests.runtime.graphs import FLOAT, onnx_of, two_inputs

# The route, and not the page's own live.js.
LIVE = re.compile(r"/live(\?|$)")
HTML = "<img src=x onerror=alert(1)>"

# It answers the sum and the difference of a row's two values.
ROW = onnx_of(
    [("MatMul", ["row", "weights"], ["scores"], {})],
    [("row", FLOAT, ("n", 2))],
    [("scores", FLOAT, ("n", 2))],
    weights=np.array([[1, 1], [1, -1]], np.float32),
)


@pytest.fixture(scope="module")
def server(trained, tmp_path_factory):
    """Serve a trained model in two versions, tables, two inputs, and HTML."""
    folder = tmp_path_factory.mktemp("page")
    models = folder / "models"
    for version in ("1", "2"):
        shutil.copytree(trained / "mnist", models / "mnist" / version)
    row = {"features": ["width", "height"], "img_channels": 0}
    write_bundle(
        models / "row" / "1",
        name="row",
        onnx_bytes=ROW,
        params=row,
        labels=("sum", "difference"),
    )
    write_bundle(
        models / "mixed" / "1",
        name="mixed",
        onnx_bytes=mixed_onnx(),
        params={"features": FEATURES, "labels": "", "img_channels": 0},
        labels=(),
    )
    write_bundle(
        models / "pair" / "1",
        name="pair",
        onnx_bytes=two_inputs(),
        params={"img_channels": 0, "labels": ""},
        proved=False,
    )
    write_bundle(
        models / "html" / "1",
        name="html",
        params={"description": HTML},
        labels=("<b>zero</b>", HTML, "two"),
    )
    command = f"{RUNTIME} --workers 2 --feedback-dir feedback"
    with serving(command, folder) as server:
        server.feedback = folder / "feedback"
        yield server


@pytest.fixture
def opened(page, server):
    """Return a function that opens the page at a model."""

    def open_at(name, version=""):
        page.goto(f"{server.url}/#/{name}{version and f'/{version}'}")
        expect(page.locator("h1")).to_have_text(name)
        return page

    return open_at


@pytest.fixture
def digit(trained):
    """Return a picture of the trained bundle's own sample, and its label."""
    sample = read_sample(trained / "mnist")
    place = int(np.argmax(sample.labels == 7))
    return png(sample.images[place, :, :, 0]), "7"


@pytest.fixture
def linear(server, tmp_path):
    """Return an archive of a model of its own for each test."""

    def make(name):
        return tar_of(write_bundle(tmp_path / name, name=name), top=name)

    return make


def best(page):
    return page.locator(".verdict b")


def dialog(page):
    return page.get_by_role("dialog")


# -- trying ---------------------------------------------------------------------------


def test_a_drawn_3_wins_and_the_model_saw_28_pixels(opened):
    page = opened("mnist")
    draw(page, THREE)
    expect(best(page)).to_have_text("3")
    seen = page.locator(".seen img.tensor")
    expect(seen).to_be_visible()
    sizes = "(image) => [image.naturalWidth, image.naturalHeight]"
    assert seen.evaluate(sizes) == [28, 28]
    expect(page.locator(".bars li")).to_have_count(10)
    expect(page.locator(".bars li.best .of")).to_have_text("3")


def test_the_answer_follows_the_pen_before_it_is_lifted(opened):
    page = opened("mnist")
    draw(page, THREE[:4], release=False)
    expect(page.locator(".bars li.best")).to_have_count(1)
    page.mouse.up()


def test_the_pad_is_cleared(opened):
    page = opened("mnist")
    draw(page, THREE)
    expect(best(page)).to_have_text("3")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".bars li")).to_have_count(0)
    expect(page.locator(".seen img.tensor")).to_be_hidden()


@pytest.mark.parametrize("how", [drop, paste])
def test_a_picture_is_dropped_or_pasted(opened, digit, how):
    page = opened("mnist")
    expect(page.locator(".pad canvas")).to_be_visible()
    picture, label = digit
    how(page, "seven.png", "image/png", picture)
    expect(best(page)).to_have_text(label)


def test_a_picture_is_chosen(opened, digit):
    page = opened("mnist")
    picture, label = digit
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(
        {"name": "seven.png", "mimeType": "image/png", "buffer": picture}
    )
    expect(best(page)).to_have_text(label)


def test_the_bundles_own_pictures_are_tried(opened):
    page = opened("mnist")
    page.get_by_role("button", name="Try a picture labelled 4").first.click()
    expect(best(page)).to_have_text("4")


def test_a_table_is_a_form_of_its_features(opened):
    page = opened("row")
    page.get_by_label("width").fill("5")
    page.get_by_label("height").fill("-2")
    expect(page.locator(".bars li", has_text="sum").locator(".number")).to_have_text(
        "3.000"
    )
    expect(best(page)).to_have_text("difference")


def test_a_table_of_numbers_and_texts_is_a_form(opened):
    page = opened("mixed")
    page.get_by_label("pt").fill("0.5")
    page.get_by_label("njet").fill("2")
    page.get_by_label("part").fill("mu")
    expect(page.locator(".bars .number").first).to_have_text("20.500")
    lines = page.locator("#lines")
    expect(lines).to_contain_text('"keys":["pt","part","njet"],"values":[0,"a",0]')
    page.get_by_role("tab", name="Python").click()
    expect(lines).to_contain_text('"part": np.array([["a"]], np.object_)')
    page.get_by_role("tab", name="tritonclient").click()
    expect(lines).to_contain_text('np.full([1, 1], "a", np.object_)')


def test_other_models_take_json(opened):
    page = opened("pair")
    field = page.get_by_label("Inputs by name")
    assert json.loads(field.input_value()) == {"a": [[0, 0]], "b": [[0, 0]]}
    field.fill('{"a": [[1, 2]], "b": [[10, 20]]}')
    field.press("Control+Enter")
    answer = page.locator("pre[aria-live=polite]")
    expect(answer).to_contain_text("22")
    assert json.loads(answer.text_content()) == {"sum": [[11, 22]], "less": [[9, 19]]}
    expect(page.get_by_text("unproved", exact=True)).to_be_visible()


def test_names_and_texts_with_html_stay_texts(opened):
    page = opened("html")
    expect(page.locator("span.soft", has_text=HTML)).to_be_visible()
    picture = png([[1, 2], [3, 4]])  # see linear_onnx
    drop(page, "a.png", "image/png", picture)
    expect(best(page)).to_have_text("two")
    expect(page.locator(".bars .of")).to_have_text(["<b>zero</b>", HTML, "two"])
    assert page.locator("img[src=x]").count() == 0


def test_a_wrong_answer_is_told_with_the_picture_as_it_was_drawn(opened, server):
    page = opened("mnist")
    wrong = page.locator(".feedback")
    expect(wrong).to_be_hidden()
    draw(page, [(140, 140)])  # one point is one answer, and none follows
    expect(wrong).to_be_visible()
    keep = wrong.get_by_role("button", name="Keep it")
    keep.click()
    expect(wrong).to_contain_text("Choose the right class first.")
    for label in ("8", "9"):
        wrong.get_by_label("Wrong? It was a").select_option(label)
        keep.click()
        expect(wrong).to_contain_text(f"Kept as {label}: 1 so far.")
    (kept,) = (server.feedback / "mnist" / "images").glob("*/*")
    assert kept.parent.name == "9"
    drawn = page.locator(".pad canvas").evaluate("(canvas) => canvas.toDataURL()")
    assert kept.read_bytes() == base64.b64decode(drawn.partition(",")[2])
    page.get_by_role("button", name="Clear").click()
    expect(wrong).to_be_hidden()
    # A model that is trained on its test pictures would look better than it is.
    page.get_by_role("button", name="Try a picture labelled 4").first.click()
    expect(best(page)).to_have_text("4")
    expect(wrong).to_be_hidden()


def test_a_refusal_of_feedback_is_shown_and_no_feedback_is_not_offered(
    page, opened, digit, faults
):
    faults.expect("the server responded with a status of 409")
    refusal = {"error": "the folder of the feedback is full"}
    page.route("**/feedback", lambda route: route.fulfill(status=409, json=refusal))
    opened("mnist")
    wrong = page.locator(".feedback")
    drop(page, "seven.png", "image/png", digit[0])
    wrong.get_by_label("Wrong? It was a").select_option("1")
    wrong.get_by_role("button", name="Keep it").click()
    expect(wrong).to_contain_text(refusal["error"])

    def without(route):
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "feedback": False})

    page.route("**/status", without)
    page.reload()
    expect(page.locator("h1")).to_have_text("mnist")
    drop(page, "seven.png", "image/png", digit[0])
    expect(best(page)).to_have_text("7")
    expect(wrong).to_have_count(0)


# -- the store ------------------------------------------------------------------------


def test_a_bundle_is_uploaded_by_a_drop(opened, linear):
    page = opened("mnist")
    drop(page, "dropped.tar.gz", "application/gzip", linear("dropped"))
    expect(page.locator("h1")).to_have_text("dropped")
    expect(page.locator("#told")).to_contain_text("dropped version 1 is published")
    assert page.url.endswith("#/dropped/1")
    expect(page.locator("#models")).to_contain_text("dropped")


def test_a_refused_upload_shows_the_services_own_sentence(opened, server, faults):
    junk = b"this is no archive"
    sentence = CLIENT.post(f"{server.url}/upload", content=junk).json()["error"]
    faults.expect("the server responded with a status of 4")
    page = opened("mnist")
    drop(page, "junk.tar.gz", "application/gzip", junk)
    expect(page.locator("#uploading")).to_contain_text("junk.tar.gz was not taken")
    expect(page.locator("#uploading")).to_contain_text(sentence)
    page.locator("#uploading").get_by_role("button", name="dismiss").click()
    expect(page.locator("#uploading")).to_have_count(0)


def test_a_lone_onnx_is_uploaded_under_a_name(opened):
    page = opened("mnist")
    drop(page, "my net.onnx", "", linear_onnx())
    name = dialog(page).get_by_label("Name")
    expect(name).to_have_value("my_net")
    name.fill("lone")
    name.press("Enter")
    expect(page.locator("h1")).to_have_text("lone")


def test_an_archive_that_nothing_names_is_named(opened, tmp_path, faults):
    """Without a folder and a params.json, such as a SavedModel that somebody zipped."""
    folder = write_bundle(tmp_path / "flat", name="flat")
    (folder / "params.json").unlink()
    faults.expect("the server responded with a status of 400")
    page = opened("row")
    drop(page, "my flat.tar.gz", "application/gzip", tar_of(folder, top="."))
    name = dialog(page).get_by_label("Name")
    expect(name).to_have_value("my_flat")
    name.fill("flat")
    name.press("Enter")
    expect(page.locator("h1")).to_have_text("flat")


def test_a_folder_is_uploaded(opened, tmp_path):
    folder = write_bundle(tmp_path / "folder", name="folder")
    page = opened("mnist")
    page.get_by_role("button", name="Upload a model").click()
    with page.expect_file_chooser() as chooser:
        dialog(page).get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(folder)
    dialog(page).get_by_role("button", name="Next").click()
    expect(page.locator("h1")).to_have_text("folder")


def test_versions_are_rolled_back_labelled_and_deleted(opened, server, linear):
    for _ in range(3):
        CLIENT.post(f"{server.url}/upload", content=linear("turned"))
    page = opened("turned")
    page.get_by_role("button", name="Roll back to version 2").click()
    expect(page.locator("#told")).to_have_text(
        re.compile("Version 2 of turned serves now")
    )
    rows = page.locator("tbody tr")
    expect(rows.filter(has_text="serves")).to_contain_text("version 2")

    rows.filter(has_text="version 3").get_by_role("button", name="label").click()
    dialog(page).get_by_label("Label").fill("canary")
    dialog(page).get_by_label("Label").press("Enter")
    expect(rows.filter(has_text="version 3")).to_contain_text("canary")
    labels = CLIENT.get(f"{server.url}/models/turned/labels").json()
    assert labels == {"stable": 2, "canary": 3}

    page.get_by_role("button", name="delete version 1").click()
    dialog(page).get_by_role("button", name="Delete", exact=True).click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Take the label canary away").click()
    expect(page.locator("tbody")).not_to_contain_text("canary")
    page.get_by_role("button", name="Delete the model").click()
    dialog(page).get_by_role("button", name="Delete the model").click()
    expect(page.locator("#models")).not_to_contain_text("turned")
    assert CLIENT.get(f"{server.url}/models/turned").status_code == 404


def test_a_change_elsewhere_takes_nothing_from_the_readers_hands(page, opened, server):
    """Each change of any model renews the page, and may come while somebody types."""
    page.clock.install()
    opened("row")
    page.get_by_role("tab", name="Python").click()
    page.get_by_label("height").focus()
    renewed = []
    page.on("response", lambda reply: renewed.append(urlsplit(reply.url).path))
    for name in ("pair", "row"):
        CLIENT.put(f"{server.url}/models/{name}/labels/canary", json={"version": 1})
        before = renewed.count("/models")
        hasten(page, lambda before=before: renewed.count("/models") > before)
    hasten(page, lambda: "canary" in page.locator("tbody").text_content())
    expect(page.get_by_label("height")).to_be_focused()
    expect(page.get_by_role("tab", name="Python")).to_have_attribute(
        "aria-selected", "true"
    )


def test_a_service_that_refuses_for_a_moment_is_asked_again(page, server, faults):
    faults.expect("the server responded with a status of 503")
    busy = {"status": 503, "json": {"error": "too much to do"}}
    page.route("**/models", lambda route: route.fulfill(**busy), times=1)
    page.clock.install()
    with page.expect_response("**/models"):
        page.goto(f"{server.url}/#/row")
    page.clock.run_for(5000)
    expect(page.locator("h1")).to_have_text("row")


def test_a_proxys_page_is_no_answer_of_the_service(page, server):
    page.route(LIVE, lambda route: route.fulfill(body="<h1>Soon</h1>"))
    page.goto(f"{server.url}/#/row")
    expect(page.locator("#gone")).to_contain_text("does not answer since")
    page.unroute_all()
    expect(page.locator("h1")).to_have_text("row")
    expect(page.locator("#gone")).to_have_count(0)


def test_a_silent_service_is_missed(page, server):
    page.clock.install()
    page.goto(f"{server.url}/#/row")
    expect(page.locator("#service")).to_contain_text("ready")
    with page.expect_request(LIVE):
        page.route(LIVE, lambda route: None)
        page.clock.run_for(1000)
    page.clock.run_for(10_000)
    expect(page.locator("#gone")).to_contain_text("does not answer since")
    page.unroute_all()
    page.clock.run_for(1000)
    expect(page.locator("#gone")).to_have_count(0)


# -- addresses, looks and hands -------------------------------------------------------


def test_addresses_lead_back_and_forward(opened, server):
    page = opened("mnist", "1")
    expect(page.locator(".head .chips")).to_contain_text("version 1")
    page.locator("#models").get_by_role("link", name="row").click()
    expect(page.locator("h1")).to_have_text("row")
    page.go_back()
    expect(page.locator("h1")).to_have_text("mnist")
    expect(page.locator(".head .chips")).to_contain_text("version 1")
    page.go_forward()
    expect(page.locator("h1")).to_have_text("row")


def test_the_list_is_filtered(opened):
    page = opened("mnist")
    page.get_by_label("Filter the models").fill("PAI")
    expect(page.locator("#models li:visible")).to_have_count(1)
    expect(page.locator("#models li:visible")).to_contain_text("pair")


def test_live_figures_follow_the_requests(opened):
    page = opened("row")
    chart = page.get_by_role("img", name="Throughput")
    for value in range(100):
        page.get_by_label("width").fill(str(value))
        if re.search(
            r"Throughput: (0\.\d*[1-9]|[1-9])", chart.get_attribute("aria-label")
        ):
            break
        page.wait_for_timeout(100)
    else:
        pytest.fail(chart.get_attribute("aria-label"))
    expect(page.locator("#models li", has_text="row")).to_contain_text("/s")


def test_a_page_that_nobody_sees_asks_nothing(page, server):
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.clock.install()
    page.goto(f"{server.url}/#/row")
    for _ in range(3):
        with page.expect_response(LIVE):
            page.clock.run_for(1000)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    before = asked.count("/live")
    page.clock.run_for(10_000)
    assert asked.count("/live") == before


@pytest.mark.parametrize("name", ["mnist", "row", "pair"])
def test_the_page_is_accessible_in_both_themes(opened, name):
    page = opened(name)
    if name == "mnist":
        draw(page, THREE)
        expect(best(page)).to_have_text("3")
    expect(page.locator("#models")).to_contain_text("idle")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_dialogs_are_accessible(opened):
    page = opened("mnist")
    page.get_by_role("button", name="token").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    # A header cannot carry it, and the service would look as if it were gone.
    field = dialog(page).get_by_label("Token")
    field.fill("Schlüssel")
    field.press("Enter")
    assert not field.evaluate("(field) => field.checkValidity()")
    expect(dialog(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)


def test_the_theme_is_chosen_and_kept(opened):
    page = opened("row")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()  # light
    page.locator("#theme").click()  # dark
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark


def test_a_phone_has_one_column_and_the_pad_before_the_answer(opened):
    page = opened("mnist")
    page.set_viewport_size({"width": 360, "height": 740})
    draw(page, THREE)
    expect(best(page)).to_have_text("3")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == 360
    pad, answer = (
        page.locator(name).bounding_box() for name in (".pad canvas", ".answer")
    )
    assert pad["y"] + pad["height"] <= answer["y"]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_all_is_done_by_keyboard(opened, server):
    page = opened("mnist")
    expect(page.locator(".pad canvas")).to_be_visible()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    for _ in range(10):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    expect(best(page)).to_have_text("1")
    page.keyboard.press("Delete")
    expect(page.locator(".bars li")).to_have_count(0)
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel")).to_contain_text(
        "from tfaas_onnx import Client"
    )


def test_the_lines_to_copy_name_the_model_and_the_service(opened, server):
    page = opened("mnist", "1")
    lines = page.get_by_role("tabpanel")
    expect(lines).to_contain_text(f"curl {server.url}/predict/image")
    expect(lines).to_contain_text("-F model=mnist -F version=1")
    page.get_by_role("tab", name="tritonclient").click()
    expect(lines).to_contain_text('[1, 28, 28, 1], "FP32")')
    expect(lines).to_contain_text('model_version="1"')


def test_lines_to_copy_quote_a_strangers_names(opened, server, tmp_path):
    """A person who pastes them into a shell or a Python runs nothing of the model's."""
    name = """x'; touch harm; echo "$(touch harm)\\"""
    graph = onnx_of(
        [("Identity", [name], ["y"], {})],
        [(name, FLOAT, ("n", 2, 3))],
        [("y", FLOAT, ("n", 2, 3))],
    )
    bundle = write_bundle(
        tmp_path / "quotes",
        name="quotes",
        onnx_bytes=graph,
        params={"img_channels": 0, "labels": ""},
    )
    published = CLIENT.post(
        f"{server.url}/upload", content=tar_of(bundle, top="quotes")
    )
    published.raise_for_status()
    page = opened("quotes")
    lines = page.get_by_role("tabpanel")
    words = shlex.split(lines.text_content().replace("\\\n", " "))
    assert words[:3] == ["curl", f"{server.url}/predict/json", "-d"]
    assert list(json.loads(words[3])["inputs"]) == [name]
    assert len(words) == 4
    page.get_by_role("tab", name="tritonclient").click()
    texts = [
        node.value
        for node in ast.walk(ast.parse(lines.text_content()))
        if isinstance(node, ast.Constant)
    ]
    assert name in texts


def test_the_graph_of_the_model_is_shown(opened):
    page = opened("mnist")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="graph").click()
    graph = popup.value
    expect(graph.locator("svg .node").first).to_be_visible()
    assert "mnist%2Fmodel.onnx" in graph.url


# -- tokens, a base, and the end ------------------------------------------------------


def test_a_token_is_asked_for_under_a_base(page, faults, tmp_path, linear):
    """The reader's token lets one see; the rollback wants the writer's."""
    for version in ("1", "2"):
        write_bundle(tmp_path / "models" / "linear" / version)
    settings = {
        "base": "/ml",
        "predictTokens": [hashlib.sha256(b"reader").hexdigest()],
        "writeTokens": [hashlib.sha256(b"writer").hexdigest()],
    }
    (tmp_path / "config.json").write_text(json.dumps(settings))
    faults.expect("the server responded with a status of 401")
    with serving(f"{RUNTIME} --workers 1", tmp_path) as server:
        page.goto(f"{server.url}/ml")
        page.get_by_role("button", name="Unlock").click()
        field = dialog(page).get_by_label("Token")
        field.fill("wrong")
        field.press("Enter")
        expect(page.locator("#locked")).to_contain_text("does not admit this request")
        page.get_by_role("button", name="Unlock").click()
        field.fill("reader")
        field.press("Enter")
        expect(page.locator("h1")).to_have_text("linear")
        expect(page.locator("#locked")).to_have_count(0)

        page.get_by_role("button", name="Roll back to version 1").click()
        expect(dialog(page)).to_contain_text("does not admit this request")
        field.fill("writer")
        field.press("Enter")
        expect(page.locator("#told")).to_contain_text("Version 1 of linear serves now")
        assert "writer" not in page.url
        assert page.evaluate("Object.values(localStorage)") == []
        assert page.evaluate("Object.values(sessionStorage)") == ["writer"]
        expect(page.get_by_role("tabpanel")).not_to_contain_text("writer")
        page.close()  # it would miss the service


def test_an_open_page_does_not_load_a_model_that_left_the_memory(page, tmp_path):
    """With memory for one model, two open pages would load theirs in turns for ever."""
    for name in ("one", "two"):
        write_bundle(tmp_path / "models" / name / "1", name=name)
    (tmp_path / "config.json").write_text('{"cacheLimit": 1}')
    loads = []
    page.on("request", lambda request: "/v2/" in request.url and loads.append(request))
    with serving(f"{RUNTIME} --workers 1", tmp_path) as server:
        page.clock.install()
        page.goto(f"{server.url}/#/one")
        state = page.locator("#models li", has_text="one").locator(".dot")
        hasten(page, lambda: state.get_attribute("title") == "proved")
        CLIENT.get(f"{server.url}/v2/models/two").raise_for_status()
        hasten(page, lambda: state.get_attribute("title") == "not in memory")
        expect(page.locator("tbody")).to_contain_text("not in memory")
        expect(page.locator(".pad canvas")).to_be_visible()
        assert len(loads) == 1
        page.close()


def test_an_empty_store_says_what_fills_it_and_a_service_that_goes_is_missed(
    page, faults, tmp_path
):
    faults.expect("net::ERR_CONNECTION_REFUSED", "net::ERR_EMPTY_RESPONSE")
    with serving(f"{RUNTIME} --workers 1", tmp_path) as server:
        page.goto(server.url)
        expect(page.locator("h1")).to_have_text("No model yet")
        expect(page.locator("main")).to_contain_text("trainer run")
        expect(page.locator("#service")).to_contain_text("ready")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    expect(page.locator("#gone")).to_contain_text("does not answer since")
    expect(page.locator("h1")).to_have_text("No model yet")


def test_a_browser_without_scripts_is_led_on(browser, server):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.get_by_role("link", name="the routes")).to_be_visible()
        page.get_by_role("link", name="the models").click()
        assert "mnist" in page.content()
