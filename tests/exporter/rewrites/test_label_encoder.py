"""Expected values are read off the vocabularies, or come from Keras's own layers."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import conversion, converted

pytestmark = pytest.mark.tensorflow

NAMES = ["e", "mu", "τ"]
TEXTS = np.array([["mu", "e", "τ"], ["", "MU", "muon"], ["µ", "mu", "e "]], object)


def table(tf, keys, values, default):
    """Return a table of TensorFlow with these keys and values."""
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, values), default
    )


def test_texts_get_their_places_and_unknown_ones_the_place_before(tf):
    import keras

    layer = keras.layers.StringLookup(vocabulary=NAMES)
    (places,) = converted(layer, TEXTS)
    assert places.tolist() == [[2, 1, 3], [0, 0, 0], [0, 2, 0]]
    assert places.dtype == np.int64


def test_the_empty_text_may_be_the_mask(tf):
    import keras

    layer = keras.layers.StringLookup(vocabulary=NAMES, mask_token="")
    (places,) = converted(layer, TEXTS)
    assert places.tolist() == [[3, 2, 4], [0, 1, 1], [1, 3, 1]]


def test_flags_of_texts(tf):
    import keras

    layer = keras.layers.StringLookup(vocabulary=NAMES, output_mode="one_hot")
    (flags,) = converted(layer, TEXTS[:, :1])
    assert flags.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]]


def test_numbers_get_their_names(tf):
    import keras

    layer = keras.layers.StringLookup(vocabulary=NAMES, invert=True)
    (names,) = converted(layer, np.array([[3, 1], [0, 2]]))
    assert names.tolist() == [["τ", "e"], ["[UNK]", "mu"]]


@pytest.mark.parametrize(
    ("values", "default", "expected"),
    [
        (np.array([1.5, -2.5, 0.25], np.float32), np.float32(9), [-2.5, 9.0]),
        (np.array([7, 2**31 - 1, 9], np.int32), np.int32(-1), [2**31 - 1, -1]),
        (np.array([False, True, False]), np.bool_(False), [True, False]),
        (np.array(["x", "ÿ", "z"]), "?", ["ÿ", "?"]),
    ],
)
def test_texts_stand_for_numbers_flags_and_texts(tf, values, default, expected):
    found = table(tf, NAMES, values, default)
    (answers,) = converted(found.lookup, np.array(["mu", "no"], object))
    assert answers.tolist() == expected
    if values.dtype.kind != "U":
        assert answers.dtype == values.dtype


def test_any_number_of_rows_is_looked_up(tf):
    run = conversion(table(tf, NAMES, [5, 6, 7], -1).lookup, TEXTS)
    for count in (1, 2, 30):
        texts = np.resize(TEXTS, (count, 3))
        (answers,) = run(texts)
        wanted = [
            dict(zip(NAMES, (5, 6, 7), strict=True)).get(t, -1) for t in texts.flat
        ]
        assert answers.ravel().tolist() == wanted


def test_one_model_has_several_tables(tf):
    first, second = table(tf, ["a"], [1], 0), table(tf, ["b", "a"], [2, 3], 4)
    texts = np.array(["a", "b", "c"], object)
    answers = converted(lambda x: (first.lookup(x), second.lookup(x)), texts)
    assert [a.tolist() for a in answers] == [[1, 0, 0], [3, 2, 4]]


def test_texts_are_compared_with_one(tf):
    is_mu, is_not = converted(
        lambda x: (tf.equal(x, "mu"), tf.not_equal("mu", x)), TEXTS
    )
    assert is_mu.tolist() == (TEXTS == "mu").tolist()
    assert is_not.tolist() == (TEXTS != "mu").tolist()


@pytest.mark.parametrize(
    ("keys", "values", "sentence"),
    [
        (["a"], np.array([0.1]), "looks up no string that stands for float64"),
        ([b"a", b"\xff"], [1, 2], r"has b'\\xff', which is not UTF-8"),
    ],
)
def test_a_table_that_onnx_cannot_hold_is_refused(tf, keys, values, sentence):
    from exporter.errors import ExportError

    found = table(tf, keys, values, tf.cast(0, tf.constant(values).dtype))
    with pytest.raises(ExportError, match=f"{sentence}.*LookupTableFindV2 in"):
        converted(found.lookup, np.array(["a"], object))


def test_texts_that_are_hashed_are_refused(tf):
    import keras

    from exporter.errors import ExportError

    layer = keras.layers.StringLookup(vocabulary=NAMES, num_oov_indices=2)
    with pytest.raises(ExportError, match=r"StringToHashBucketFast.*or hash them"):
        converted(layer, TEXTS)
