"""Every route, method and spelling is asked without a token and with one."""

import hashlib
import itertools

import falcon.inspect
import pytest
from falcon.testing import create_environ

from bundle.store import ModelStore
from runtime.access.gate import Access
from runtime.access.tokens import digest_of
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.page.files import FOLDERS
from runtime.http.routes import rules_of
from runtime.services import create_services
from tests.clients import LocalClient
from tests.examples import write_bundle
from tests.forms import form, png

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NAMES = {"name": "linear", "version": "1", "label": "stable", "file:path": "x.js"}
BEARER = {"Authorization": "Bearer a token"}
PREDICT, HEADERS = form(image=png([[1, 2], [3, 4]]), model="linear")


@pytest.fixture
def store(tmp_path):
    store = ModelStore(tmp_path / "models")
    write_bundle(tmp_path / "models" / "linear" / "1")
    write_bundle(tmp_path / "models" / "linear" / "2")
    store.set_label("linear", "canary", 2)
    for name in FOLDERS:
        (tmp_path / "static" / name).mkdir(parents=True)
        (tmp_path / "static" / name / "x.js").write_text("1")
    return tmp_path


def client_of(store, **settings):
    config = Config(
        model_dir=store / "models",
        static_dir=str(store / "static"),
        provider="cpu",
        **settings,
    )
    return LocalClient(create_app(create_services(config), config))


def digest_of_tree(folder):
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def spellings(path):
    """Yield one path as different clients, and proxies on the way, may write it."""
    first = path.strip("/").partition("/")[0]
    yield path
    yield path + "/"
    yield "/" + path
    yield path.replace("/", "//")
    yield "/." + path
    yield "/x/.." + path
    yield path + "/."
    yield path + "%2f"
    yield path + "%2e"
    yield path + ";x"
    yield path.upper()
    yield path.replace("linear", "%6cinear")
    yield path.replace(first, f"%{ord(first[0]):02x}{first[1:]}") if first else path


@pytest.mark.parametrize("base", ["", "/ml"])
def test_nothing_but_health_is_answered_without_a_token(store, base):
    client = client_of(
        store,
        base=base,
        write_tokens=(digest_of("a token"),),
        predict_tokens=(digest_of("another"),),
    )
    before = digest_of_tree(store / "models")
    answered = set()
    rules = rules_of()
    templates = dict.fromkeys(path for path, _ in rules)
    for template, method in itertools.product(templates, METHODS):
        path = template
        for name, value in NAMES.items():
            path = path.replace(f"{{{name}}}", value)
        path = path.replace("{file}", "x.js")
        for spelling in spellings(base + path if path != "/" else base or "/"):
            reply = client.simulate_request(
                method, spelling, body=PREDICT, headers=HEADERS
            )
            is_open = rules.get((template, method)) is Access.OPEN
            if reply.status_code in (401, 403, 404, 405, 400):
                continue
            assert is_open or method == "OPTIONS", (method, spelling, reply.status)
            answered.add((method, template))
    assert ("GET", "/livez") in answered
    assert ("GET", "/js/{file:path}") in answered
    assert not {t for m, t in answered if m != "OPTIONS"} - {
        template for (template, _), access in rules.items() if access is Access.OPEN
    }
    assert digest_of_tree(store / "models") == before


def test_every_route_of_the_application_has_its_rule(store):
    app = client_of(store).app
    routes = {
        (route.path, method.method)
        for route in falcon.inspect.inspect_app(app).routes
        for method in route.methods
        if not method.internal and method.method != "OPTIONS"
    }
    assert routes == set(rules_of())


def test_what_has_no_rule_is_refused(store):
    class Backdoor:
        def on_post(self, req, resp):
            raise AssertionError("it was asked")

    client = client_of(store)
    client.app.add_route("/backdoor", Backdoor())
    assert client.simulate_post("/backdoor").status_code == 403
    assert client.simulate_get("/backdoor").status_code == 405


def test_a_token_is_asked_for_in_http_terms(store):
    client = client_of(store, write_tokens=(digest_of("a token"),))
    reply = client.simulate_delete("/delete/linear")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert reply.json == {
        "error": "this request needs a token: send Authorization: Bearer TOKEN"
    }
    assert client.simulate_delete("/delete/linear", headers=BEARER).status_code == 200


def test_a_refused_upload_is_not_read(store):
    class Unread:
        def read(self, size=-1):
            raise AssertionError("it was read")

    environ = create_environ("/upload", method="POST", remote_addr="192.0.2.1")
    environ["wsgi.input"] = Unread()
    started = []
    client_of(store).app(environ, lambda status, headers: started.append(status))
    assert started == ["403 Forbidden"]


def test_predictions_are_kept_by_nobody(store):
    client = client_of(store)
    reply = client.simulate_post("/predict/image", body=PREDICT, headers=HEADERS)
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    static = client.simulate_get("/js/x.js")
    assert static.status_code == 200
    assert "Cache-Control" not in static.headers
    assert static.headers["X-Content-Type-Options"] == "nosniff"
