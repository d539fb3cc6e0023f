"""Models that people build convert, and answer as TensorFlow does."""

import pkgutil

import pytest

pytest.importorskip("tensorflow")

from tests.zoo import networks
from tests.zoo.run import check, run

pytestmark = pytest.mark.tensorflow


def shown(specimen):
    return pytest.param(specimen, id=specimen.name)


def test_every_file_of_the_folder_is_among_the_networks():
    rooms = {specimen.name.partition(".")[0] for specimen in networks.specimens()}
    files = {module.name for module in pkgutil.iter_modules(networks.__path__)}
    assert rooms == files - {"built"}


def test_no_two_networks_have_one_name():
    names = [specimen.name for specimen in networks.specimens()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("specimen", [shown(s) for s in networks.specimens()])
def test_a_network(specimen):
    check(run(specimen), specimen)
