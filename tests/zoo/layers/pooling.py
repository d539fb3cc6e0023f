"""Try pooling of one, two and three dimensions."""

from __future__ import annotations

from tests.zoo.layers.recipe import Recipe, on

_LAST = {1: (9, 4), 2: (7, 8, 3), 3: (5, 6, 5, 2)}
_FREE = {1: (None, 4), 2: (None, None, 3), 3: (None, None, None, 2)}


def _first(shape):
    return (shape[-1], *shape[:-1])


def _pooled(dims: int) -> list[Recipe]:
    last, first, free = on(_LAST[dims]), on(_first(_LAST[dims])), on(_FREE[dims])
    return [
        last(pool_size=2),
        last("same", pool_size=2, padding="same"),
        last("overlapping", pool_size=3, strides=2),
        last("overlapping same", pool_size=3, strides=2, padding="same"),
        last("strides of one", pool_size=3, strides=1, padding="same"),
        first("channels_first", pool_size=2, data_format="channels_first"),
        first(
            "channels_first same",
            pool_size=3,
            strides=2,
            padding="same",
            data_format="channels_first",
        ),
        free("free sides", pool_size=2),
        free("free sides same", pool_size=3, strides=2, padding="same"),
    ]


def _global(dims: int) -> list[Recipe]:
    return [
        on(_LAST[dims])(),
        on(_LAST[dims])("keepdims", keepdims=True),
        on(_first(_LAST[dims]))("channels_first", data_format="channels_first"),
        on(_FREE[dims])("free sides"),
    ]


def _adaptive(dims: int) -> list[Recipe]:
    last = on(_LAST[dims])
    return [
        last(output_size=2),
        last("uneven", output_size=(3, 4, 2)[:dims]),
        # Keras 3.15 cannot do 1, because it pools over one pixel more than there is.
        on(_first(_LAST[dims]))(
            "channels_first", output_size=3, data_format="channels_first"
        ),
    ]


RECIPES: dict[str, list[Recipe]] = {}
for _dims in (1, 2, 3):
    for _kind in ("Average", "Max"):
        RECIPES[f"{_kind}Pooling{_dims}D"] = _pooled(_dims)
        RECIPES[f"Global{_kind}Pooling{_dims}D"] = _global(_dims)
        RECIPES[f"Adaptive{_kind}Pooling{_dims}D"] = _adaptive(_dims)
