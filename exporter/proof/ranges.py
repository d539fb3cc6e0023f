"""Read from a model's graph which numbers and texts its inputs take."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from exporter.proof.draws import Ranges, Traits

# The output of these operators has the values of the first input, or values near
# enough: a rounded index names a row of the same table.
_SAME_VALUES = frozenset(
    {"Cast", "Ceil", "Expand", "Flatten", "Floor", "Gather", "GatherElements"}
    | {"GatherND", "Identity", "Pad", "Relu", "Reshape", "Round", "Slice", "Split"}
    | {"Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
_WHOLE = frozenset(
    {TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64}
    | {TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
)
_REAL = frozenset(
    {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
)
# These operators are exact for whole numbers of any size.
_EXACT = frozenset(
    {"Abs", "Add", "And", "Einsum", "Gather", "GatherElements", "GatherND", "Shape"}
    | {"Size", "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot"}
    | {"BitwiseOr", "BitwiseXor", "Cast", "Clip", "Concat", "CumSum", "Div", "Equal"}
    | {"Expand", "Flatten", "Greater", "GreaterOrEqual", "Identity", "Less"}
    | {"LessOrEqual", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pad"}
    | {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Sign"}
    | {"Slice", "Split", "Squeeze", "Sub", "Sum", "Tile", "Transpose", "Unsqueeze"}
    | {"Where", "Xor"}
)
# All inputs but the first of these operators are lengths and places.
_OF_PLACES = frozenset(
    {
        "CumSum",
        "Expand",
        "Gather",
        "GatherElements",
        "GatherND",
        "Pad",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
    }
    | {"Reshape", "Slice", "Split", "Squeeze", "Tile", "Unsqueeze"}
)
# The attribute of LabelEncoder that has its keys, if they are texts.
_KEYS = "keys_strings"
# A number is compared with at most so many keys of a table, or segments. A longer list
# is something else.
_MOST_KEYS = 1 << 20


def index_ranges(model: onnx.ModelProto) -> Ranges:
    """Find the rows that each input may name that indexes a table (an embedding).

    Without this, such an input could only be 0 or 1, because a number outside the table
    is an error. Most of the table would not be compared.

    Args:
        model: a converted model.

    Returns:
        By the input's name, the numbers that name the first and the last row of the
        smallest table that it indexes.
    """
    return {name: (low, high) for name, (low, high, _) in _found(model).items()}


def traits_of(model: onnx.ModelProto) -> Traits:
    """Find other facts about the inputs that the graph tells.

    Args:
        model: a converted model.
    """
    found = _found(model)
    graph = _Graph.of(model)
    uses = {
        taken.name: graph.use_of(taken.name)
        for taken in model.graph.input
        if taken.type.tensor_type.elem_type in _WHOLE and taken.name not in found
    }
    return Traits(
        whole=frozenset(name for name, (_, _, is_whole) in found.items() if is_whole),
        signed=frozenset(name for name, use in uses.items() if use != "places"),
        unbounded=frozenset(name for name, use in uses.items() if use == "numbers"),
        words={
            taken.name: words
            for taken in model.graph.input
            if taken.type.tensor_type.elem_type == TensorProto.STRING
            and (words := graph.words(taken.name))
        },
    )


def _found(model: onnx.ModelProto) -> dict[str, tuple[float, float, bool]]:
    graph = _Graph.of(model)
    ranges = {}
    for taken in model.graph.input:
        dtype = taken.type.tensor_type.elem_type
        if dtype not in (_WHOLE | _REAL):
            continue
        found = [each for each in graph.places(taken.name) if each[1] <= each[2]]
        # A number that names a row in one place may be compared with keys in another.
        bounds = [each for each in found if each[0]] or found
        if not bounds:
            continue
        low = max(bound[1] for bound in bounds)
        high = min(bound[2] for bound in bounds)
        if low <= high:
            is_whole = dtype in _REAL and all(bound[3] for bound in bounds)
            ranges[taken.name] = (low, high, is_whole)
    return ranges


@dataclass(frozen=True)
class _Line:
    """A tensor as ``scale * x + offset`` of an input x, cut to an interval.

    Attributes:
        low: the tensor is never below it.
        high: the tensor is never above it.
    """

    scale: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def moved(self, scale: float, offset: float) -> _Line:
        """The line ``scale * self + offset``."""
        ends = sorted(scale * end + offset for end in (self.low, self.high))
        return _Line(self.scale * scale, self.offset * scale + offset, *ends)

    def cut(self, low: float, high: float) -> _Line:
        """The line, cut to the numbers from ``low`` to ``high``."""
        return _Line(self.scale, self.offset, max(self.low, low), min(self.high, high))

    def between(self, low: float, high: float) -> tuple[float, float]:
        """The x for which the line lies there; whole x, if each of them names a row."""
        low, high = max(low, self.low), min(high, self.high)
        ends = sorted((end - self.offset) / self.scale for end in (low, high))
        if not self.is_whole:
            return ends[0], ends[1]
        return float(math.ceil(ends[0])), float(math.floor(ends[1]))

    @property
    def is_whole(self) -> bool:
        """Whether whole x name all rows."""
        return abs(self.scale) == 1


@dataclass
class _Graph:
    users: dict[str, list[onnx.NodeProto]] = field(
        default_factory=lambda: defaultdict(list)
    )
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, model: onnx.ModelProto) -> _Graph:
        graph = cls()
        try:
            inferred = onnx.shape_inference.infer_shapes(model)
        except Exception:  # above protobuf's 2 GB: only the noted shapes are known
            inferred = model
        for value in (*inferred.graph.input, *inferred.graph.value_info):
            tensor = value.type.tensor_type
            graph.dtypes[value.name] = tensor.elem_type
            if tensor.HasField("shape"):
                graph.shapes[value.name] = [
                    dim.dim_value if dim.HasField("dim_value") else 0
                    for dim in tensor.shape.dim
                ]
        for given in model.graph.initializer:
            graph.shapes[given.name] = list(given.dims)
            is_inside = given.data_location != TensorProto.EXTERNAL
            if is_inside and math.prod(given.dims) <= _MOST_KEYS:
                graph.constants[given.name] = numpy_helper.to_array(given)
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                graph.constants[node.output[0]] = numpy_helper.to_array(
                    node.attribute[0].t
                )
            for name in node.input:
                graph.users[name].append(node)
        return graph

    def places(self, name: str) -> Iterator[tuple[bool, float, float, bool]]:
        """Find the x for which an input names rows of a table, for each table.

        The first item tells whether other x are an error. The last item tells whether
        whole x name all rows.
        """
        # Only the first way to a tensor counts: Keras adds the number of rows to an
        # index below zero, and then chooses one of both.
        waiting, seen = deque([(name, _Line())]), {name}
        while waiting:
            values, line = waiting.popleft()
            for node in self.users[values]:
                for low, high in self._rows(node, values):
                    yield True, *line.between(low, high), line.is_whole
                for low, high in self._keys(node, values):
                    yield False, *line.between(low, high), line.is_whole
                moved = self._after(node, values, line)
                if moved is not None and moved.scale:
                    fresh = [name for name in node.output if name not in seen]
                    seen.update(fresh)
                    waiting.extend((name, moved) for name in fresh)

    def _rows(self, node: onnx.NodeProto, values: str) -> Iterator[tuple[float, float]]:
        """The first and last place that a node looks up by these values."""
        kind = node.op_type
        shape = self.shapes.get(node.input[0], [])
        if kind in ("Gather", "GatherElements") and node.input[1] == values:
            axis = _attribute(node, "axis", 0)
            if shape and -len(shape) <= axis < len(shape) and shape[axis]:
                yield 0, shape[axis] - 1
        elif kind == "GatherND" and node.input[1] == values:
            indices = self.shapes.get(values, [])
            known = shape[: indices[-1]] if indices and indices[-1] else []
            if known and all(known):
                yield 0, min(known) - 1

    def _keys(self, node: onnx.NodeProto, values: str) -> Iterator[tuple[float, float]]:
        """The least and greatest number with a meaning there; others are allowed."""
        if node.op_type == "OneHot" and node.input[0] == values:
            depth = self._number(node.input[1])
            if depth is not None and depth > 0:
                yield 0, depth - 1
        elif node.op_type == "Equal":
            # These are the keys of a table, or the numbers of all segments.
            (keys,) = [n for n in node.input if n != values] or [values]
            known = self.constants.get(keys)
            if known is not None and known.size > 1 and known.dtype.kind in "iuf":
                yield float(known.min()), float(known.max())

    def _after(self, node: onnx.NodeProto, values: str, line: _Line) -> _Line | None:
        """The line of a node's output; None if the output is no line of the input."""
        kind = node.op_type
        if kind in _SAME_VALUES and node.input[0] == values:
            return line.cut(0, math.inf) if kind == "Relu" else line
        if kind == "Concat" or (kind == "Where" and values in node.input[1:]):
            return line
        numbers = [self.constants.get(name) for name in node.input if name != values]
        if kind == "Neg":
            return line.moved(-1, 0)
        if kind == "Clip" and node.input[0] == values:
            ends = [self._number(name) for name in [*node.input, "", ""][1:3]]
            low, high = (-math.inf, math.inf)
            return line.cut(
                low if ends[0] is None else ends[0],
                high if ends[1] is None else ends[1],
            )
        if len(node.input) != 2 or len(numbers) != 1 or numbers[0] is None:
            return None
        if numbers[0].size == 0 or numbers[0].dtype.kind not in "iuf":
            return None
        # If each column has its own offset (in one table for all), the widest range
        # counts.
        least, most = float(numbers[0].min()), float(numbers[0].max())
        is_first = node.input[0] == values
        match kind:
            case "Add":
                return line.moved(1, most)
            case "Sub":
                return line.moved(1, -least) if is_first else line.moved(-1, most)
            case "Max":
                return line.cut(least, math.inf)
            case "Min":
                return line.cut(-math.inf, most)
            case "Mul" if least == most:
                return line.moved(most, 0)
            case "Div" if is_first and least == most and most:
                return line.moved(1 / most, 0)
            case "Mod" if is_first and least == most and most > 0:
                return line.cut(0, most - 1)
        return None

    def words(self, name: str) -> tuple[str, ...]:
        """The texts that an input's values are looked up among; each text once."""
        found: dict[str, None] = {}
        waiting, seen = [name], {name}
        while waiting:
            values = waiting.pop()
            for node in self.users[values]:
                if node.op_type == "LabelEncoder":
                    keys = (a.strings for a in node.attribute if a.name == _KEYS)
                    for text in chain.from_iterable(keys):
                        found.setdefault(text.decode())
                elif node.op_type in _SAME_VALUES or node.op_type == "Concat":
                    fresh = set(node.output) - seen
                    seen |= fresh
                    waiting += fresh
        return tuple(found)

    def _number(self, name: str) -> float | None:
        known = self.constants.get(name)
        return float(known.item()) if known is not None and known.size == 1 else None

    def use_of(self, name: str) -> Literal["numbers", "real", "places"]:
        """Find the use that the graph makes of a whole-numbered input.

        Returns:
            ``numbers`` if only exact arithmetic uses it, ``real`` if it is also cast to
            real numbers, ``places`` if it may be an index or a length.
        """
        is_cast = False
        waiting, seen = [name], {name}
        while waiting:
            values = waiting.pop()
            for node in self.users[values]:
                if node.op_type not in _EXACT:
                    return "places"
                if node.op_type in _OF_PLACES and values in node.input[1:]:
                    return "places"
                if node.op_type == "Cast" and _attribute(node, "to", 0) in _REAL:
                    is_cast = True
                    continue
                if node.op_type in ("Shape", "Size"):
                    continue
                fresh = set(node.output) - seen
                seen |= fresh
                waiting += fresh
        return "real" if is_cast else "numbers"


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), default)
