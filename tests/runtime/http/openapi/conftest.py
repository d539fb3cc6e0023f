"""One service answers all requests of a module, since none of them is about it."""

import logging

import pytest

from runtime import services as rooms
from tests.fuzz.inputs import whole_requests
from tests.runtime.conftest import trial_here
from tests.runtime.http.openapi.described import LABELS, Service, label_of, placed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    for name in ("js", "css", "images"):
        (folder / "static" / name).mkdir(parents=True)
        (folder / "static" / name / "a.txt").write_text("abc")
    return folder


@pytest.fixture(autouse=True, scope="module")
def silence():
    """Keep the many expected errors out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def service(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "ChildTrial", trial_here)
        return Service(folder)


@pytest.fixture(scope="module")
def whole(service, tmp_path_factory):
    """Return the requests that the fuzzer damages, by the operation."""
    found = {label: [] for label in LABELS}
    for request in whole_requests(service.application, tmp_path_factory.mktemp("it")):
        if request.method != "HEAD":
            found[label_of(request)].append(placed(request))
    return found
