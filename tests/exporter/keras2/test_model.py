"""Descriptions of models are read; those that are damaged or unknown are refused."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from exporter.keras2.errors import Untranslatable
from exporter.keras2.model import build

pytestmark = pytest.mark.tensorflow


def layer(kind, name, **config):
    return {"class_name": kind, "config": {"name": name, **config}}


def dense(name="dense", **config):
    return layer("Dense", name, units=2, **config)


def taking(*shape, name="x", **config):
    return layer("InputLayer", name, batch_input_shape=[None, *shape], **config)


def sequential(*layers, **config):
    return {"class_name": "Sequential", "config": {"layers": [*layers], **config}}


def functional(*layers, ends=None, **nodes):
    """Describe a model of layers, with the nodes by which each is called."""
    (name, *_) = nodes
    for each in layers:
        each["name"] = each["config"]["name"]
        each["inbound_nodes"] = nodes.get(each["name"], [])
    config = {
        "layers": [*layers],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[name, 0, 0]] if ends is None else ends,
    }
    return {"class_name": "Functional", "config": config}


def names_of(model):
    return [each.name for each in model.layers]


X = ["x", 0, 0, {}]


@pytest.mark.parametrize(
    "item",
    [
        # The shape stands in the first layer, in an inner model, or beside the layers.
        sequential(dense(batch_input_shape=[None, 3])),
        sequential(sequential(dense(batch_input_shape=[None, 3]))),
        sequential(dense(), build_input_shape=[None, 3]),
        # Keras 2.0 and 2.1 had no settings of the model itself.
        {"class_name": "Sequential", "config": [dense(batch_input_shape=[None, 3])]},
    ],
    ids=["layer", "inner", "beside", "list"],
)
def test_the_shape_of_an_input_is_found_where_keras_2_wrote_it(item):
    (taken,) = build(item).model.inputs
    assert (taken.shape, taken.dtype) == ((None, 3), "float32")


def test_layers_of_one_name_get_different_names():
    model = build(sequential(taking(3), dense("a"), dense("a"), dense("a"))).model
    assert names_of(model) == ["a", "a_1", "a_2"]


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ([], "its description is damaged"),
        ({"class_name": 5}, "its description is damaged"),
        ({"class_name": "Sequential", "config": {}}, "its description is damaged"),
        ({"class_name": "Sequential"}, "its description is damaged"),
        (sequential({"class_name": "Dense"}), "its description is damaged"),
        (sequential("Dense"), "its description is damaged"),
        ({"class_name": "Net", "config": {}}, "'Net' is a model that is written in"),
        (sequential(dense()), "does not tell the shape of its input"),
        (sequential(), "does not tell the shape of its input"),
        (sequential(layer("InputLayer", "x")), "does not tell the shape of its"),
        (sequential(taking(3, sparse=True)), "takes sparse or ragged tensors"),
        (sequential(taking(3, ragged=True)), "takes sparse or ragged tensors"),
        (
            sequential(taking(3), dense(kernel_size={"a": 1})),
            "a setting of it is an object",
        ),
        (
            sequential(taking(3), dense(kernel_size=1)),
            "Keras 3 does not take its layer Dense: .*kernel_size",
        ),
        (
            sequential(
                taking(9, 3),
                layer("LocallyConnected1D", "l", padding="same", filters=1),
            ),
            "LocallyConnected1D needs channels last and no padding here",
        ),
        (
            sequential(
                taking(9, 3), layer("LocallyConnected1D", "l", implementation=2)
            ),
            "LocallyConnected1D needs implementation 1 here",
        ),
        (
            functional(taking(3), dense("d"), dense("e"), e=[[X]], d=[[["d", 0, 0]]]),
            "its layer 'd' takes a tensor that no layer gives",
        ),
        (
            functional(taking(3), dense("d"), d=[[["x", 0, 7, {}]]]),
            "its layer 'x' does not give what another layer takes",
        ),
        (
            functional(taking(3), dense("d"), d=[[X]], ends="d"),
            "its description is damaged",
        ),
        (
            functional(taking(3, 3), layer("Dot", "d", axes=[1, 1]), d=[[X]]),
            "Keras 3 cannot call its layer 'd'",
        ),
        (
            functional(
                taking(8, 8, 3),
                layer("RandomCrop", "r", height=4, width=4),
                r=[[["x", 0, 0, {"training": True}]]],
            ),
            "its layer 'r' always draws numbers",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(item, sentence):
    with pytest.raises(Untranslatable, match=sentence):
        build(item)


def test_a_recurrent_layer_takes_its_states_beside_its_input():
    """The list of a call has the input, and then the states."""
    model = build(
        functional(
            taking(4, 3),
            layer("GRU", "first", units=2, return_state=True),
            layer("GRU", "second", units=2),
            second=[[X, ["first", 0, 1, {}]]],
            first=[[X]],
        )
    ).model
    assert model.outputs[0].shape == (None, 2)


def test_outputs_keep_their_structure():
    model = build(
        functional(
            taking(3), dense("d"), d=[[X]], ends={"one": ["d", 0, 0], "two": [X[:3]]}
        )
    ).model
    assert {*model.output} == {"one", "two"}


def test_a_scale_of_channels_is_a_product():
    """Keras 2's ConvNeXt has this layer."""
    item = layer("LayerScale", "s", init_values=1e-6, projection_dim=3)
    model = build(functional(taking(3), item, s=[[X]])).model
    model.layers[-1].set_weights([np.array([1.0, 10.0, 100.0])])
    answered = model(np.array([[1.0, 2.0, 3.0]], np.float32))
    assert np.asarray(answered).tolist() == [[1, 20, 300]]


@pytest.mark.parametrize("returns", ["last", "sequences", "sequences and state"])
def test_the_time_may_be_the_first_axis(returns):
    """The steps of the other layer stand in the second axis."""
    options = {"return_sequences": returns != "last", "return_state": "and" in returns}

    def made(shape, **more):
        item = layer("SimpleRNN", "r", units=2, **options, **more)
        first = {**taking(), "config": {"name": "x", "batch_input_shape": shape}}
        return build(functional(first, item, r=[[X]], ends=[["r", 0, 0]])).model

    ours = made([None, None, 3], time_major=True)
    usual = made([None, None, 3])
    usual.set_weights(ours.get_weights())
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    answered = np.asarray(ours(x))
    expected = np.asarray(usual(x.swapaxes(0, 1)))
    if returns != "last":
        expected = expected.swapaxes(0, 1)
    np.testing.assert_allclose(answered, expected, rtol=1e-5)
