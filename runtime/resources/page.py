"""``GET /``: a short page with the routes and the models."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

import falcon

from runtime.catalogue import Catalogue

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tfaas-onnx</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top; }
code { font-size: .9em; }
</style>
</head>
<body>
<h1>tfaas-onnx</h1>
<h2>Models</h2>
$models
<h2>Routes</h2>
<table>
<tr><th>Request</th><th>What it does</th></tr>
$routes
</table>
</body>
</html>
""")

# Every route, in the order of the page; a test compares them with the application's,
# docs/reference/http.md's and ARCHITECTURE.md's.
ROUTES = (
    ("POST", "/predict", "one of the three below, by its content type"),
    ("POST", "/predict/image", "multipart image and model: array of probabilities"),
    ("POST", "/image", "the same"),
    ("POST", "/predict/json", "JSON keys, values and model: array of numbers"),
    ("POST", "/json", "the same"),
    ("POST", "/predict/proto", "protobuf Row: Predictions"),
    ("POST", "/proto", "the same"),
    ("GET", "/models", "the models, and how each is served"),
    ("GET", "/models/{name}", "a model's labels and versions"),
    ("GET", "/models/{name}/{version}", "a version: its files, params and proof"),
    ("DELETE", "/models/{name}/{version}", "delete one version"),
    ("GET", "/models/{name}/{version}/bundle", "its bundle as a tar.gz"),
    ("GET", "/models/{name}/labels", "which version each label points to"),
    (
        "PUT",
        "/models/{name}/labels/{label}",
        'JSON {"version": N}: point a label to it',
    ),
    ("DELETE", "/models/{name}/labels/{label}", "take a label away"),
    ("POST", "/upload", "a tar of a bundle's folder, or its files as a form"),
    ("GET", "/params", "says what to ask instead"),
    ("POST", "/params", "JSON name and new params: publishes the next version"),
    ("GET", "/params/{name}", "a model's params.json; ?version= or ?label= choose"),
    ("DELETE", "/delete", "delete the model that the multipart field model names"),
    ("DELETE", "/delete/{name}", "delete a model with all its versions"),
    ("GET", "/download/{name}/{file}", "a file of its bundle, such as model.onnx"),
    ("GET", "/netron", "the graph viewer: ?url=/download/{name}/model.onnx"),
    ("GET", "/netron/{file}", "the viewer's own files"),
    ("GET", "/status", "the machine, this process and its requests"),
    ("GET", "/metrics", "for Prometheus"),
    ("GET", "/livez", "200 while the process answers"),
    ("GET", "/healthz", "the same"),
    ("GET", "/readyz", "200 when it should get requests, else 503 and why"),
    ("GET", "/", "this page"),
    ("GET", "/favicon.ico", "its icon"),
    ("GET", "/js/{file}", "files of config.json's staticDir"),
    ("GET", "/css/{file}", "the same"),
    ("GET", "/images/{file}", "the same"),
)


# The page has one style of its own, and nothing else; no page may frame it.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """``GET /``."""

    def __init__(self, catalogue: Catalogue, base: str) -> None:
        self._catalogue = catalogue
        self._base = base

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.text = _PAGE.substitute(
            models=_models(self._catalogue.models()),
            routes="\n".join(
                _row(f"<code>{method} {escape(self._base + route)}</code>", what)
                for method, route, what in ROUTES
            ),
        )

    on_head = on_get


def _models(models: list[dict[str, Any]]) -> str:
    if not models:
        return "<p>None yet: train one with <code>trainer run</code>, or upload it.</p>"
    rows = [_row("<b>Name</b>", "<b>Version</b>", "<b>Served by</b>")]
    rows += [
        _row(
            escape(model["name"]),
            escape(str(model.get("version", "-"))),
            escape(_served_by(model)),
        )
        for model in models
    ]
    return f"<table>\n{chr(10).join(rows)}\n</table>"


def _served_by(model: dict[str, Any]) -> str:
    broken = f"broken: {model['error']}" if model["error"] else ""
    if not model.get("backend"):
        return broken or "loaded on first use"
    served = f"version {model['loaded']} by {model['backend']}/{model['device']}"
    return f"{served}; {broken}" if broken else served


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
