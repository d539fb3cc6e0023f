"""The service that the tests ask, beside the document that describes it."""

import re
import shutil
from contextlib import closing, nullcontext
from dataclasses import replace

import schemathesis
from werkzeug.test import Client

from runtime.access.gate import Gate
from runtime.config import Config
from runtime.http.application import create_app
from runtime.http.openapi.document import make_document
from runtime.services import create_services
from tests.fuzz.inputs import write_store

DOCUMENT = make_document(Gate())
LABELS = {
    f"{method.upper()} {path}": (path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
MOST_BYTES = 100_000
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8083"}


class Service:
    """The service, with a store that is filled anew after each request that writes."""

    def __init__(self, folder, **settings):
        self._models = folder / "models"
        config = Config(
            model_dir=self._models,
            static_dir=str(folder / "static"),
            feedback_dir=str(folder / "feedback"),
            provider="cpu",
            onnx="require",
            export_on_upload="off",
            max_body_bytes=MOST_BYTES,
            max_upload_bytes=MOST_BYTES,
            **settings,
        )
        self.application = create_app(create_services(config), config)
        self._client = Client(self.application)
        self._is_filled = False

    def __call__(self, environ, start_response):
        """Answer a request of this machine, as WSGI has it.

        schemathesis asks for packed replies here, and does not unpack them. It does not
        close the reply, either.
        """
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        content = self.application(environ | HERE, start_response)
        with closing(content) if hasattr(content, "close") else nullcontext():
            return [b"".join(content)]

    def ask(self, request, **environ):
        if not self._is_filled:
            self.refill()
        self._is_filled = "403" not in LABELS[label_of(request)][1]["responses"]
        headers = {name: text.decode() for name, text in request.headers.items()}
        reply = self._client.open(
            request.path.decode(),
            method=request.method,
            query_string=request.query.decode(),
            headers=headers,
            data=request.body,
            environ_overrides=HERE | environ,
        )
        reply.get_data()
        reply.close()
        return reply

    def refill(self):
        shutil.rmtree(self._models, ignore_errors=True)
        write_store(self._models)
        linear, broken = self._models / "linear", self._models / "broken" / "1"
        shutil.copytree(linear / "1", linear / "2")
        (linear / ".labels").mkdir()
        (linear / ".labels" / "canary").write_text("2\n")
        broken.mkdir(parents=True)
        (broken / "params.json").write_text("[]")


def label_of(request):
    """Return the operation of a request: the one with the fewest names in braces."""
    path = request.path.decode().rstrip("/") or "/"
    fits = [
        label
        for label, (template, _) in LABELS.items()
        if label.startswith(f"{request.method} ")
        and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
    ]
    return min(fits, key=lambda label: (label.count("{"), -len(label)))


def placed(request):
    """Put the document's own example of a file into the path."""
    path, operation = LABELS[label_of(request)]
    for parameter in operation["parameters"]:
        if parameter.get("in") == "path":
            name, value = parameter["name"], str(parameter["example"])
            path = path.replace(f"{{{name}}}", value)
    return replace(request, path=path.encode())


def check(label, reply):
    """Compare a reply with the document: status, type, headers and content."""
    OPERATIONS[label].validate_response(reply)


def named_by(label):
    return LABELS[label][1]["responses"].keys()
