import os

import pytest

from runtime.config import Config, ConfigError
from runtime.preflight import check_config


def test_a_store_that_the_first_upload_makes_is_no_doubt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_config(Config()) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_told(config, monkeypatch):
    # root may do anything, so this test itself answers the question.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    (told,) = check_config(config)
    assert "'modelDir' is models, which cannot be written: its models are" in told


def test_a_store_that_cannot_be_read_is_refused(config, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.R_OK)
    with pytest.raises(ConfigError, match="'modelDir' is models, which cannot be read"):
        check_config(config)
