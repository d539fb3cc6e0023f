"""The nodes of a frozen graph are found without TensorFlow."""

import pytest

from bundle.errors import BundleError
from runtime.admin.errors import AdminError
from runtime.bundling.nodes import find_nodes
from runtime.programs.tensorflow_pb2 import GraphDef

ROWS = [
    ("x", "Placeholder", []),
    ("rate", "PlaceholderWithDefault", []),
    ("weights", "Const", []),
    ("scores", "MatMul", ["x:0", "weights"]),
    ("init", "NoOp", ["^weights"]),
]


@pytest.fixture
def graph(tmp_path):
    """Return a function that writes a graph of nodes (name, operator, inputs)."""

    def write(nodes):
        message = GraphDef()
        for name, op, inputs in nodes:
            message.node.add(name=name, op=op, input=inputs)
        path = tmp_path / "net.pb"
        path.write_bytes(message.SerializeToString())
        return path

    return write


def test_the_placeholder_and_the_unused_node_are_found(graph):
    assert find_nodes(graph(ROWS), (), ()) == (("x",), ("scores",))


def test_nodes_that_somebody_named_are_taken(graph):
    found = find_nodes(graph(ROWS), ("weights",), ("x", "scores:0"))
    assert found == (("weights",), ("x", "scores:0"))


def test_a_graph_that_does_not_tell_lists_what_it_has(graph):
    two = [*ROWS, ("y", "Placeholder", []), ("loss", "Mean", ["y", "scores"])]
    with pytest.raises(AdminError, match="takes the input: it has x, y; .* --inputs"):
        find_nodes(graph(two), (), ())
    assert find_nodes(graph(two), ("x",), ()) == (("x",), ("loss",))
    with pytest.raises(AdminError, match="gives the answer: it has none; .*--outputs"):
        find_nodes(graph(ROWS[:3]), (), ())
    many = [(f"p{n}", "Placeholder", []) for n in range(20)]
    with pytest.raises(AdminError, match="p0, p1, .*p7 …; "):
        find_nodes(graph(many), (), ())


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / "net.pb").write_bytes(b"\x0a\xff")
    with pytest.raises(BundleError, match=r"net\.pb is damaged"):
        find_nodes(tmp_path / "net.pb", (), ())
