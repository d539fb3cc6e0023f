"""The lines for users of Triton, KServe and TensorFlow Serving are typed."""

import json
import re

import pytest

from tests.documents import ROOT, blocks
from tests.end_to_end.conftest import RUNTIME, own_address, readme_block, run, serving
from tests.end_to_end.triton.environment import python_of_triton


@pytest.fixture
def type_lines(store):
    """Return a function that types lines in a folder, beside a server with mnist."""
    host, port = own_address()
    run("trainer image --fout img1.png --imgid 3", store)
    with serving(f"{RUNTIME} --host {host} --grpc-port {port}", store) as server:

        def type_them(text):
            own = text.replace("localhost:8001", f"{host}:{port}").replace(
                "localhost:8083", server.url.removeprefix("http://")
            )
            own = re.sub(r"\bcurl ", "curl -sS --fail-with-body ", own)
            return run(f"PATH={python_of_triton().parent}:$PATH\n{own}", store)

        yield type_them


def test_readme_for_users_of_other_servers(type_lines):
    config, kserve, state, scores = type_lines(readme_block("others")).splitlines()
    assert "'max_batch_size':" in config
    assert sum(json.loads(kserve)["outputs"][0]["data"]) == pytest.approx(1)
    assert json.loads(state)["model_version_status"][0]["state"] == "AVAILABLE"
    assert json.loads(scores)["predictions"][0][1] > 0.9


def test_the_page_for_users_of_triton(type_lines):
    found = [
        block.text
        for block in blocks(ROOT / "docs" / "serving.md")
        if "InferenceServerClient" in block.text
    ]
    assert len(found) == 2
    over_http, over_grpc = (
        type_lines(re.sub(r"^pip install .*$", "", text, flags=re.M)) for text in found
    )
    assert "'shape': [1, 10]" in over_http
    assert 'model_name: "mnist"' in over_grpc
