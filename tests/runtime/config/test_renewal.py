"""SIGHUP changes hot settings, and names the others."""

from dataclasses import fields, replace

import pytest

from runtime.config import Config, renewal_of
from runtime.config.fields import OF_A_MODEL

OLD = Config()


def test_it_is_decided_for_each_setting_how_it_gets_a_new_value():
    assert {type(field.metadata["hot"]) for field in fields(Config)} == {bool}


def test_hot_settings_change_and_others_wait():
    new = replace(OLD, rate="5-S", port=1, traffic={"canary": 10.0}, workers=2)
    renewal = renewal_of(OLD, new)
    assert renewal.config == replace(OLD, rate="5-S", traffic={"canary": 10.0})
    assert renewal.changed == ("rate", "traffic")
    assert renewal.restart == ("port", "workers")


def test_the_same_settings_change_nothing():
    renewal = renewal_of(OLD, Config())
    assert (renewal.config, renewal.changed, renewal.restart) == (OLD, (), ())


@pytest.mark.parametrize("was_on", [True, False])
def test_tls_is_switched_on_or_off_by_a_restart_alone(was_on):
    pair = {"server_key": "k", "server_crt": "c"}
    old, new = (Config(**pair), OLD) if was_on else (OLD, Config(**pair))
    renewal = renewal_of(old, new)
    assert renewal.config == old
    assert renewal.restart == ("serverKey", "serverCrt")


def test_another_pair_is_taken_while_tls_is_on():
    old = Config(server_key="k", server_crt="c")
    renewal = renewal_of(old, replace(old, server_crt="d"))
    assert renewal.config.server_crt == "d"
    assert renewal.changed == ("serverCrt",)


def test_what_one_model_may_have_of_its_own_is_opened_anew():
    assert {f.name for f in fields(Config) if f.name in OF_A_MODEL} == set(OF_A_MODEL)
    renewal = renewal_of(OLD, replace(OLD, models={"mnist": {"max_batch_size": 2}}))
    assert renewal.changed == ("models",)
