"""Frozen graphs and SavedModels of TensorFlow 1 convert, and answer as they did."""

import pytest

pytest.importorskip("tensorflow")

from tests.zoo import graphs
from tests.zoo.run import check, run

pytestmark = pytest.mark.tensorflow
RINGS = ("Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch")


def test_no_two_graphs_have_one_name():
    names = [specimen.name for specimen in graphs.specimens()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("frozen.loop", set(RINGS)),
        ("frozen.branches", set(RINGS)),
        ("frozen.arrays", {"TensorArrayReadV3", "TensorArrayWriteV3"}),
        ("saved.variables", {"VariableV2"}),
    ],
)
def test_a_graph_has_what_it_is_there_for(name, operators):
    """The graph holds these operators of TensorFlow 1, which TensorFlow 2 replaces."""
    (specimen,) = (s for s in graphs.specimens() if s.name == name)
    definition = specimen.make().call.graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    assert operators <= {node.op for node in nodes}


@pytest.mark.parametrize("specimen", graphs.specimens(), ids=lambda s: s.name)
def test_a_graph(specimen):
    check(run(specimen), specimen)
