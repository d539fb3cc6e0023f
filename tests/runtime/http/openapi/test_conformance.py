"""The service answers requests as its OpenAPI document says, and the examples, too."""

import json
import os
from dataclasses import replace

import pytest
import schemathesis
from hypothesis import Phase, given, settings

from runtime.http.resources.predict import PROTOBUF
from tests.fuzz.inputs import Request
from tests.runtime.http.openapi.described import DOCUMENT, LABELS, check

# `make fuzz` sends so many requests to each operation.
EXAMPLES = int(os.environ.get("FUZZ", "600")) // 100


# -- examples -------------------------------------------------------------------------


def examples():
    """Give each example of a body, with its operation and content type."""
    for label, (_, operation) in LABELS.items():
        content = operation.get("requestBody", {}).get("content", {})
        for kind, media in content.items():
            for name, example in media.get("examples", {}).items():
                yield pytest.param(label, kind, example["value"], id=f"{label} {name}")


@pytest.mark.parametrize(("label", "kind", "value"), [*examples()])
def test_an_example_is_answered(service, label, kind, value):
    method, path = label.split(" ")
    request = Request(method, path.encode(), body=json.dumps(value).encode())
    headers = {"Content-Type": kind.encode()}
    for name, place in (("name", "linear"), ("version", "1"), ("label", "canary")):
        request = replace(
            request, path=request.path.replace(f"{{{name}}}".encode(), place.encode())
        )
    reply = service.ask(replace(request, headers=headers))
    assert reply.status_code == 200, reply.json
    check(label, reply)


# -- anything that the document allows ------------------------------------------------


def narrowed(document):
    """Let the document name things that the store has, so that more than 404 comes."""
    names = {"name": ["linear", "pair", "nosuch"], "file": ["params.json"]}
    narrow = json.loads(json.dumps(document))
    for methods in narrow["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter.get("in") == "path" and parameter["name"] in names:
                    parameter["schema"] = {"enum": names[parameter["name"]]}
    for schema in narrow["components"]["schemas"].values():
        if "model" in schema["properties"] and "values" in schema["properties"]:
            schema["properties"]["model"] = {"enum": ["linear", "pair"]}
    return narrow


@schemathesis.serializer(PROTOBUF)
def serialize(context, value):
    """Send any bytes as protobuf; the document says no more about them."""
    return str(value).encode()


@pytest.fixture(scope="module")
def fuzzed(service):
    schema = schemathesis.openapi.from_dict(narrowed(DOCUMENT))
    schema.app = service
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


@pytest.mark.parametrize("label", LABELS)
def test_what_the_document_allows_is_answered_as_it_says(label, service, fuzzed):
    @given(case=fuzzed[label].as_strategy())
    @settings(max_examples=EXAMPLES, phases=[Phase.generate])
    def ask(case):
        reply = case.call()
        assert reply.status_code not in (401, 403, 500), reply.text
        check(label, reply)

    ask()
    service.refill()
