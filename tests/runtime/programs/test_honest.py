"""Files that TensorFlow and Keras themselves write are taken."""

import pytest

from runtime.programs import check_saved_model

pytestmark = pytest.mark.tensorflow


def recurrent(tf, folder):
    import keras

    model = keras.Sequential(
        [
            keras.Input((5, 4)),
            keras.layers.Bidirectional(keras.layers.LSTM(3)),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    model.export(folder, verbose=False)


def trained(tf, folder):
    """Save a module with an optimizer's variables, a table and a generator."""

    class Net(tf.Module):
        def __init__(self):
            self.weight = tf.Variable([1.0, 2.0])
            self.slot = tf.Variable([0.0, 0.0], name="weight/Adam")
            content = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
            self.table = tf.lookup.StaticHashTable(content, 0.0)
            self.words = tf.lookup.experimental.MutableHashTable("string", "float32", 0)
            self.chance = tf.random.Generator.from_seed(1)

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def call(self, x):
            @tf.custom_gradient
            def twice(value):
                return value * 2, lambda upstream: upstream * 3

            return {"y": twice(x) * self.weight + self.chance.normal([2])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def look(self, x):
            return {"y": self.table.lookup(x) + self.words.lookup(x)}

    net = Net()
    options = tf.saved_model.SaveOptions(
        function_aliases={"alias": net.call}, experimental_custom_gradients=True
    )
    signatures = {"serving_default": net.call, "look": net.look}
    tf.saved_model.save(net, folder, signatures=signatures, options=options)


def without_variables(tf, folder):
    """Save a module whose saver has nodes with names of operators."""
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], name="x")]
    )
    tf.saved_model.save(module, folder, signatures={"double": module.double})


def of_tensorflow_1(tf, folder):
    """Save variables, an optimizer, loops, a table, and two savers."""
    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        ones = v1.ones_initializer()  # TensorFlow may be told to draw nothing
        old = v1.get_variable("old", [2, 2], initializer=ones, use_resource=False)
        new = v1.get_variable("new", [2], initializer=ones, use_resource=True)
        v1.Variable([1.0], collections=["local_variables"], name="local")
        step = v1.train.get_or_create_global_step()
        v1.disable_control_flow_v2()
        body = v1.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a @ old), [0, x])
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: body[1], lambda: x)
        v1.enable_control_flow_v2()
        content = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
        found = tf.lookup.StaticHashTable(content, 0.0).lookup(tf.constant(["a"]))
        y = tf.identity(y + new + found, name="y")
        loss = tf.reduce_sum(new * new)
        v1.train.AdamOptimizer().minimize(loss, global_step=step)
        v1.add_to_collection("savers", v1.train.Saver())
        for initializer in (
            *(v1.global_variables_initializer(), v1.local_variables_initializer()),
            v1.tables_initializer(),
        ):
            session.run(initializer)
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=v1.tables_initializer(),
            saver=v1.train.Saver(sharded=True),
        )
        builder.save()


@pytest.mark.parametrize(
    "write", [recurrent, trained, without_variables, of_tensorflow_1]
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_is_taken(tmp_path, write):
    tf = pytest.importorskip("tensorflow")
    write(tf, tmp_path / "net")
    check_saved_model(tmp_path / "net" / "saved_model.pb")
