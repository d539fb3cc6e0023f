"""Widen the dtypes for which ONNX Runtime has no kernel.

ONNX Runtime's CPU kernels exist for some of the dtypes that ONNX allows: it has a
ReduceSum of int32 and none of uint32, a Where of int64 and none of bool. Such a node is
put between two casts, to a dtype that holds the same numbers and has a kernel, and
back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import onnx
from onnx import TensorProto
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state

# Each of these dtypes holds all numbers of the dtype; the first that has a kernel is
# taken.
_WIDER = {
    "bool": ("uint8", "int32", "int64", "float"),
    "uint8": ("int32", "int64", "float"),
    "int8": ("int32", "int64", "float"),
    "uint16": ("int32", "int64", "float"),
    "int16": ("int32", "int64", "float"),
    "uint32": ("int64", "double"),
    "int32": ("int64", "double", "float"),
    "int64": ("double", "int32", "float"),
    "uint64": ("int64", "double"),
    "float16": ("float",),
    "bfloat16": ("float",),
    "double": ("float",),
    "float": ("double",),
}
_NAMES = {
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "uint16": TensorProto.UINT16,
    "int16": TensorProto.INT16,
    "uint32": TensorProto.UINT32,
    "int32": TensorProto.INT32,
    "uint64": TensorProto.UINT64,
    "int64": TensorProto.INT64,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float": TensorProto.FLOAT,
    "double": TensorProto.DOUBLE,
}
# ONNX Runtime multiplies matrices of these dtypes, but has no ``Gemm`` for them.
_EXACT_PRODUCTS = frozenset({"int32", "int64", "uint32", "uint64"})
_CODES: dict[int, str] = {int(code): name for name, code in _NAMES.items()}

Kernel = dict[str, frozenset[str]]


def fit_kernels(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put casts around the nodes whose dtypes have no kernel.

    Args:
        model: a model with an opset that ONNX Runtime knows; it is changed.

    Returns:
        The same model. A node that no cast helps stays, and ONNX Runtime will refuse
        it.
    """
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    dtypes = _dtypes(model)
    for graph in graphs_of(model.graph):
        nodes = []
        for node in graph.node:
            nodes += _fitted(node, dtypes, opset)
        del graph.node[:]
        graph.node.extend(nodes)
    return model


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph, and the graphs of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from graphs_of(inner)


def _dtypes(model: onnx.ModelProto) -> dict[str, int]:
    """Each tensor's dtype by its name, as far as ONNX can tell."""
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {}
    for graph in graphs_of(inferred.graph):
        for tensor in (*graph.input, *graph.value_info, *graph.output):
            known[tensor.name] = tensor.type.tensor_type.elem_type
        for initializer in graph.initializer:
            known[initializer.name] = initializer.data_type
    return known


def _fitted(
    node: onnx.NodeProto, dtypes: dict[str, int], opset: int
) -> list[onnx.NodeProto]:
    """The node, between casts if it needs them."""
    kernels = _kernels(opset).get(node.op_type) if not node.domain else None
    if not kernels or not onnx.defs.has(node.op_type, opset):
        return [node]
    schema = onnx.defs.get_schema(node.op_type, opset)
    wanted = _constrained(node, schema, dtypes)
    if _is_served(kernels, wanted):
        return [node]
    if node.op_type == "Gemm" and wanted.get("T") in _EXACT_PRODUCTS:
        return _product(node)
    for variable, name in wanted.items():
        for wider in _WIDER.get(name, ()):
            if _is_served(kernels, {**wanted, variable: wider}) and _allows(
                schema, variable, wider
            ):
                return _between_casts(node, schema, variable, name, wider)
    return [node]


def _constrained(
    node: onnx.NodeProto, schema: onnx.defs.OpSchema, dtypes: dict[str, int]
) -> dict[str, str]:
    """The dtype of each type variable of the schema (``T``) in this node."""
    found: dict[str, str] = {}
    for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for index, name in enumerate(names):
            code = dtypes.get(name, 0)
            if formal and name and code in _CODES:
                variable = formal[min(index, len(formal) - 1)].type_str
                found.setdefault(variable, _CODES[code])
    return found


def _is_served(kernels: list[Kernel], wanted: dict[str, str]) -> bool:
    return any(
        all(name in kernel.get(variable, {name}) for variable, name in wanted.items())
        for kernel in kernels
    )


def _allows(schema: onnx.defs.OpSchema, variable: str, name: str) -> bool:
    return any(
        f"tensor({name})" in constraint.allowed_type_strs
        for constraint in schema.type_constraints
        if constraint.type_param_str == variable
    )


@cache
def _kernels(opset: int) -> dict[str, list[Kernel]]:
    """The CPU kernels of an opset: by operator, the dtypes of each type variable."""
    found: dict[str, list[Kernel]] = defaultdict(list)
    for kernel in onnxruntime_state.get_all_opkernel_def():
        first, last = kernel.version_range
        newest = (
            onnx.defs.get_schema(kernel.op_name, opset).since_version
            if (not kernel.domain and onnx.defs.has(kernel.op_name, opset))
            else 0
        )
        if kernel.provider == "CPUExecutionProvider" and first <= newest <= last:
            found[kernel.op_name].append(
                {
                    variable: frozenset(
                        name.removeprefix("tensor(").removesuffix(")") for name in names
                    )
                    for variable, names in kernel.type_constraints.items()
                }
            )
    return dict(found)


def _product(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Write ``Gemm`` as the operators that it stands for; doubles would lose digits."""
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    beta = given.get("beta", 1.0)
    if given.get("alpha", 1.0) != 1.0 or beta not in (0.0, 1.0):
        return [node]
    name = node.name or node.output[0]
    nodes, factors = [], list(node.input[:2])
    for index, which in enumerate(("transA", "transB")):
        if given.get(which):
            turned = f"{name}/{which}"
            nodes.append(
                onnx.helper.make_node(
                    "Transpose", [factors[index]], [turned], turned, perm=[1, 0]
                )
            )
            factors[index] = turned
    has_sum = len(node.input) > 2 and bool(node.input[2]) and beta == 1.0
    product = f"{name}/product" if has_sum else node.output[0]
    nodes.append(onnx.helper.make_node("MatMul", factors, [product], name))
    if has_sum:
        nodes.append(
            onnx.helper.make_node(
                "Add", [product, node.input[2]], [node.output[0]], f"{name}/sum"
            )
        )
    return nodes


def _between_casts(
    node: onnx.NodeProto,
    schema: onnx.defs.OpSchema,
    variable: str,
    name: str,
    wider: str,
) -> list[onnx.NodeProto]:
    before, after = [], []
    for index, given in enumerate(node.input):
        formal = schema.inputs[min(index, len(schema.inputs) - 1)]
        if given and formal.type_str == variable:
            cast = f"{node.name or node.output[0]}/cast_{index}"
            before.append(
                onnx.helper.make_node("Cast", [given], [cast], cast, to=_NAMES[wider])
            )
            node.input[index] = cast
    for index, made in enumerate(node.output):
        formal = schema.outputs[min(index, len(schema.outputs) - 1)]
        if made and formal.type_str == variable:
            cast = f"{made}/wide"
            after.append(
                onnx.helper.make_node("Cast", [cast], [made], cast, to=_NAMES[name])
            )
            node.output[index] = cast
    return [*before, node, *after]
