import importlib.abc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import Config, ConfigError
from runtime.http.application import create_app
from runtime.services import create_services

ROOT = Path(__file__).resolve().parents[3]
LOOK = """
import sys
from pathlib import Path
from runtime.http.application import create_app
from runtime.services import create_services
from runtime.config import Config
from tests.clients import LocalClient
config = Config(model_dir=Path("models"), provider="cpu", rate="9-S")
client = LocalClient(create_app(create_services(config), config))
client.simulate_get("/models", headers={"traceparent": sys.argv[1]})
client.simulate_get("/metrics")
print([name for name in sys.modules if name.startswith(("opentelemetry", "obstore"))])
"""


@pytest.mark.slow
def test_the_packages_of_what_is_off_are_not_imported(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LOOK, f"00-{'1' * 32}-{'2' * 16}-01"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)


def test_what_is_not_installed_is_told_at_the_start(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NotInstalled(), *sys.meta_path])
    config = Config(model_dir=tmp_path, provider="cpu", tracing=True)
    with pytest.raises(ConfigError, match=r"pip install 'tfaas-onnx\[tracing\]'"):
        create_app(create_services(config), config)
