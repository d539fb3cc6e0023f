"""The nodes of a frozen graph that take its input and give its answer."""

from __future__ import annotations

from pathlib import Path

from runtime.admin.errors import AdminError
from runtime.programs.reading import read
from runtime.programs.tensorflow_pb2 import GraphDef

# These nodes answer nothing by themselves.
_NO_ANSWER = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderWithDefault"})
# So many names stand in a sentence.
_SHOWN = 8


def find_nodes(
    path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the input and output nodes of a frozen graph, as far as nobody named them.

    The input is its placeholder, and the output is the node that no other node uses.

    Args:
        path: the frozen graph.
        inputs: the input nodes that somebody named; empty if nobody did.
        outputs: the output nodes that somebody named; empty if nobody did.

    Raises:
        AdminError: the graph does not tell, because it has several such nodes or none.
        BundleError: the file is no graph.
    """
    nodes = read(path, GraphDef()).node
    used = {name.lstrip("^").partition(":")[0] for node in nodes for name in node.input}
    takers = [node.name for node in nodes if node.op == "Placeholder"]
    givers = [
        node.name
        for node in nodes
        if node.op not in _NO_ANSWER and node.name not in used
    ]
    return (
        inputs or _only(path, "takes the input", takers, "--inputs"),
        outputs or _only(path, "gives the answer", givers, "--outputs"),
    )


def _only(path: Path, does: str, found: list[str], option: str) -> tuple[str, ...]:
    if len(found) == 1:
        return (found[0],)
    shown = ", ".join(found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
    raise AdminError(
        f"{path.name} does not tell which node {does}: it has {shown or 'none'}; name"
        f" it with {option} NODE,…"
    )
