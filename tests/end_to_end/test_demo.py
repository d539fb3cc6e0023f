"""``make demo``, in a folder of its own."""

import re
import sys
from urllib.parse import urlsplit

import httpx
import pytest

from tests.end_to_end.conftest import ROOT, run


def test_the_demo_goes_the_whole_way_and_leaves_no_server(tmp_path):
    output = run(f"{sys.executable} {ROOT}/tools/demo.py", tmp_path)
    answers = re.findall(r"-> (\d), with probability (0\.\d+)", output)
    assert [digit for digit, _ in answers] == ["1", "4"]
    for path in (
        "demo/mnist/parity.json",
        "demo/mnist.tar.gz",
        "demo/img1.png",
        "demo/img4.png",
        "models/mnist/1/model.onnx",
    ):
        assert (tmp_path / path).is_file()
    url = re.search(r"on (http://\S+)", output).group(1)
    assert urlsplit(url).port != 8083, "a free port"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
