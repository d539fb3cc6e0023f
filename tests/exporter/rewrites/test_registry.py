"""An operator is rewritten in one way."""

import pytest

pytest.importorskip("tensorflow")

from exporter.rewrites import registry

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("enter", "operator", "what"),
    [
        (registry.lowering, "OneHot", "two lowerings$"),
        (registry.complex_lowering, "Conj", "two lowerings of complex numbers"),
        (registry.handler, "Rank", "two handlers"),
    ],
)
def test_a_second_way_is_an_error(monkeypatch, enter, operator, what):
    for kinds in ("LOWERINGS", "COMPLEX", "HANDLERS"):
        monkeypatch.setattr(registry, kinds, {operator: print})
    with pytest.raises(ValueError, match=f"^{operator} has {what}"):
        enter(operator)(print)
