"""Write models of Keras 2 of many kinds, each with inputs and what Keras 2 answers.

Run it by hand, with the packages tensorflow-cpu==2.21.0 and tf_keras==2.21.0:

    python tests/exporter/keras2/make_files.py

The script makes ``files.tar.xz`` beside it, and ``optimizer_slots.tar.xz`` for the
tests of the service's TensorFlow.
"""

import os
import tarfile
import tempfile
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras as K  # noqa: N812

L = K.layers
KINDS = {}


def kind(make):
    KINDS[make.__name__] = make
    return make


R = np.random.default_rng(5)


def pix(*s):
    return R.random((2, *s), dtype="f4")


def img(*ls, s=(8, 8, 3)):
    return K.Sequential([L.InputLayer(s), *ls]), [pix(*s)]


def seq(*ls, s=(5, 4)):
    return K.Sequential([L.InputLayer(s), *ls]), [pix(*s) - 0.5]


@kind
def dense():
    return seq(
        L.Dense(3, "relu", kernel_regularizer="l2"), L.Dense(2, "softmax"), s=(4,)
    )


@kind
def depthwise():
    return img(L.DepthwiseConv2D(3), L.Flatten(), L.Dense(2))


@kind
def depthwise1d():
    return seq(
        L.DepthwiseConv1D(3, depth_multiplier=2),
        L.SeparableConv1D(3, 2),
        L.GlobalMaxPooling1D(),
    )


@kind
def transposed():
    return img(
        L.Conv2DTranspose(2, 3, strides=2, padding="same"), L.Flatten(), L.Dense(2)
    )


@kind
def transposed_1d_3d():
    a, b = L.Input((5, 4)), L.Input((4, 4, 4, 2))
    return K.Model(
        [a, b], [L.Conv1DTranspose(3, 2, strides=2)(a), L.Conv3DTranspose(2, 3)(b)]
    ), [pix(5, 4), pix(4, 4, 4, 2)]


@kind
def convolutions():
    a, b, c = L.Input((9, 4)), L.Input((6, 6, 6, 2)), L.Input((8, 8, 4))
    return K.Model(
        [a, b, c],
        [
            L.Conv1D(3, 3, padding="causal", dilation_rate=2)(a),
            L.Conv3D(2, 3)(b),
            L.Conv2D(4, 3, groups=2, activation="elu")(c),
        ],
    ), [pix(9, 4), pix(6, 6, 6, 2), pix(8, 8, 4)]


@kind
def separable():
    return img(
        L.SeparableConv2D(4, 3, depth_multiplier=2),
        L.SeparableConvolution2D(2, 2, use_bias=False),
        L.GlobalAveragePooling2D(),
    )


@kind
def pooling():
    i = L.Input((8, 8, 2))
    return K.Model(
        i,
        [
            L.MaxPool2D()(i),
            L.AvgPool2D(3, 2, "same")(i),
            L.GlobalAvgPool2D(keepdims=True)(i),
            L.GlobalMaxPool2D()(i),
        ],
    ), [pix(8, 8, 2)]


@kind
def padding():
    return img(
        L.ZeroPadding2D(((1, 2), (0, 1))),
        L.Cropping2D(1),
        L.UpSampling2D(2, interpolation="bilinear"),
        L.UpSampling2D((1, 2)),
    )


@kind
def sizes():
    i = L.Input((8, 8, 3))
    return K.Model(
        i,
        [
            L.Resizing(5, 7)(i),
            L.CenterCrop(4, 4)(i),
            L.Rescaling([1 / 255, 1, 2], [0, 1, -1])(i),
            L.Resizing(4, 6, crop_to_aspect_ratio=True, interpolation="nearest")(i),
        ],
    ), [pix(8, 8, 3)]


@kind
def normalization():
    i = L.Input((3,))
    n = L.Normalization()
    n.adapt(pix(3))
    return K.Model(
        i, [n(i), L.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 1.0, 9.0])(i)]
    ), [pix(3)]


@kind
def batchnorm():
    m, x = img(
        L.BatchNormalization(),
        L.Conv2D(4, 3),
        L.BatchNormalization(axis=1, scale=False),
        L.BatchNormalization(center=False, epsilon=0.01),
        L.BatchNormalization(renorm=True),
        L.BatchNormalization(virtual_batch_size=1),
    )
    for w in m.weights:
        w.assign(w + R.random(w.shape).astype("f4") * 0.5)
    return m, x


@kind
def norms():
    i = L.Input((4, 5, 6))
    o = [
        L.LayerNormalization()(i),
        L.LayerNormalization(axis=[1, 2])(i),
        L.UnitNormalization()(i),
        L.GroupNormalization(3)(i),
    ]
    m = K.Model(i, o)
    for w in m.weights:
        w.assign(w + R.random(w.shape).astype("f4"))
    return m, [pix(4, 5, 6)]


@kind
def spectral():
    return seq(L.SpectralNormalization(L.Dense(3)), s=(4,))


@kind
def lstm():
    return seq(L.LSTM(4), L.Dense(1))


@kind
def lstm_options():
    return seq(
        L.LSTM(
            4,
            return_sequences=True,
            go_backwards=True,
            recurrent_activation="hard_sigmoid",
        ),
        L.LSTM(
            3, unroll=True, use_bias=False, implementation=1, unit_forget_bias=False
        ),
    )


@kind
def gru():
    return seq(L.GRU(4, return_sequences=True), L.GRU(3, reset_after=False), L.Dense(1))


@kind
def simple_rnn():
    return seq(L.SimpleRNN(4, return_sequences=True), L.SimpleRNN(4))


@kind
def time_major():
    return K.Sequential(
        [
            L.InputLayer(batch_input_shape=(5, 2, 4)),
            L.LSTM(3, time_major=True, return_sequences=True),
        ]
    ), [R.random((5, 2, 4), dtype="f4")]


@kind
def bidirectional():
    return seq(
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.Bidirectional(L.GRU(2), merge_mode="sum"),
        L.Dense(1),
    )


@kind
def bidirectional_two():
    return seq(
        L.Bidirectional(
            L.LSTM(3), backward_layer=L.GRU(3, go_backwards=True), merge_mode="ave"
        )
    )


@kind
def cells():
    return seq(
        L.RNN(L.LSTMCell(3), return_sequences=True),
        L.RNN([L.GRUCell(4), L.SimpleRNNCell(2)]),
    )


@kind
def stacked_cells():
    return seq(L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.LSTMCell(2)])))


@kind
def seq2seq():
    e, d = L.Input((None, 4)), L.Input((None, 3))
    _, h, c = L.LSTM(5, return_state=True)(e)
    y, _, _ = L.LSTM(5, return_sequences=True, return_state=True)(
        d, initial_state=[h, c]
    )
    return K.Model([e, d], L.Dense(3, "softmax")(y)), [pix(6, 4), pix(4, 3)]


@kind
def seq2seq_gru():
    e, d = L.Input((6, 4)), L.Input((4, 3))
    _, h = L.GRU(5, return_state=True)(e)
    y = L.GRU(5, return_sequences=True)(d, initial_state=h)
    return K.Model([e, d], L.Dense(3)(y)), [pix(6, 4), pix(4, 3)]


@kind
def embedding():
    return K.Sequential(
        [L.Embedding(9, 4, mask_zero=True, input_length=6), L.LSTM(3), L.Dense(1)]
    ), [np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 0]], "f4")]


@kind
def masking():
    x = pix(6, 3)
    x[0, 4:] = 0
    return K.Sequential(
        [
            L.InputLayer((6, 3)),
            L.Masking(),
            L.Bidirectional(L.GRU(3, return_sequences=True)),
            L.TimeDistributed(L.Dense(2)),
            L.LSTM(2),
        ]
    ), [x]


@kind
def distributed():
    return K.Sequential(
        [
            L.InputLayer((3, 8, 8, 1)),
            L.TimeDistributed(L.Conv2D(2, 3, activation="relu")),
            L.TimeDistributed(L.Flatten()),
            L.TimeDistributed(K.Sequential([L.Dense(3), L.BatchNormalization()])),
            L.LSTM(2),
        ]
    ), [pix(3, 8, 8, 1)]


@kind
def convlstm():
    return K.Sequential(
        [
            L.InputLayer((3, 6, 6, 2)),
            L.ConvLSTM2D(3, 3, return_sequences=True),
            L.ConvLSTM2D(2, 2),
            L.Flatten(),
        ]
    ), [pix(3, 6, 6, 2)]


@kind
def attention():
    q, v = L.Input((4, 6)), L.Input((5, 6))
    return K.Model(
        [q, v],
        [
            L.Attention(use_scale=True)([q, v]),
            L.AdditiveAttention()([q, v]),
            L.Attention(score_mode="concat")([q, v]),
            L.Attention()([q, v], use_causal_mask=True),
        ],
    ), [pix(4, 6), pix(5, 6)]


@kind
def multihead():
    q, v = L.Input((4, 6)), L.Input((5, 6))
    a = L.MultiHeadAttention(2, 3, value_dim=4, output_shape=5)(q, v)
    b = L.MultiHeadAttention(2, 3)(q, q, use_causal_mask=True)
    return K.Model([q, v], [a, b]), [pix(4, 6), pix(5, 6)]


@kind
def transformer():
    i = L.Input((7,), dtype="int32")
    p = tf.range(7)
    x = L.Embedding(11, 8)(i) + L.Embedding(7, 8)(p)
    a = L.MultiHeadAttention(2, 4)(x, x)
    x = L.LayerNormalization(epsilon=1e-6)(x + a)
    f = K.Sequential([L.Dense(16, "relu"), L.Dense(8)])
    x = L.LayerNormalization(epsilon=1e-6)(x + f(x))
    x = L.GlobalAveragePooling1D()(x)
    return K.Model(i, L.Dense(2, "softmax")(x)), [
        np.array([[1, 2, 3, 4, 5, 6, 7], [9, 8, 7, 6, 5, 4, 3]], "i4")
    ]


@kind
def siamese():
    inner = K.Sequential([L.InputLayer((6,)), L.Dense(3, "relu"), L.Dense(2)])
    a, b = L.Input((6,)), L.Input((6,))
    return K.Model([a, b], L.Dense(1)(L.Subtract()([inner(a), inner(b)]))), [
        pix(6),
        pix(6),
    ]


@kind
def siamese_deferred():
    inner = K.Sequential([L.Dense(3, "relu"), L.Dense(2)])
    a, b = L.Input((6,)), L.Input((6,))
    return K.Model([a, b], L.Dense(1)(L.Subtract()([inner(a), inner(b)]))), [
        pix(6),
        pix(6),
    ]


@kind
def siamese_functional():
    i = L.Input((6,))
    j = L.Input((6,))
    inner = K.Model(
        [i, j], [L.Dense(2)(L.Concatenate()([i, j])), L.Dense(3)(i)], name="two"
    )
    a, b = L.Input((6,)), L.Input((6,))
    p, q = inner([a, b])
    r, s = inner([b, a])
    return K.Model([a, b], [L.Add()([p, r]), L.Dot(1)([q, s])]), [pix(6), pix(6)]


@kind
def shared_layer():
    d = L.Dense(4, "tanh")
    i = L.Input((4,))
    x = d(d(d(i)))
    return K.Model(i, L.Dense(2)(L.Concatenate()([x, d(x)]))), [pix(4)]


@kind
def nested():
    base = K.Sequential(
        [
            L.InputLayer((8, 8, 3)),
            L.Conv2D(4, 3),
            L.BatchNormalization(),
            K.Sequential([L.ReLU(6.0), L.Conv2D(2, 3)]),
        ]
    )
    base.trainable = False
    i = L.Input((8, 8, 3))
    x = base(i, training=False)
    x = L.GlobalAveragePooling2D()(x)
    m = K.Model(i, L.Dense(3, "softmax")(L.Dropout(0.2)(x)))
    for w in m.weights:
        w.assign(w + R.random(w.shape).astype("f4"))
    return m, [pix(8, 8, 3)]


@kind
def partly_frozen():
    base = K.Sequential(
        [
            L.InputLayer((4,)),
            L.Dense(4),
            L.BatchNormalization(),
            L.Dense(4),
            L.BatchNormalization(),
        ],
        name="base",
    )
    base.layers[0].trainable = False
    base.layers[3].trainable = False
    m = K.Sequential([L.InputLayer((4,)), base, L.Dense(2)])
    for w in m.weights:
        w.assign(w + R.random(w.shape).astype("f4"))
    return m, [pix(4)]


@kind
def old_sequential():
    return K.Sequential(
        [L.Conv2D(4, 3, input_shape=(8, 8, 1)), L.Flatten(), L.Dense(2)]
    ), [pix(8, 8, 1)]


@kind
def unbuilt_shape():
    m = K.Sequential([L.Dense(4, "relu"), L.Dense(2)])
    m.build((None, 6))
    return m, [pix(6)]


@kind
def activations():
    i = L.Input((5,))
    names = [
        "elu",
        "exponential",
        "gelu",
        "hard_sigmoid",
        "linear",
        "mish",
        "relu",
        "selu",
        "sigmoid",
        "softmax",
        "softplus",
        "softsign",
        "swish",
        "tanh",
        "leaky_relu",
    ]
    return K.Model(i, [L.Activation(n)(i) for n in names]), [pix(5) * 6 - 3]


@kind
def activation_layers():
    i = L.Input((5,))
    return K.Model(
        i,
        [
            L.LeakyReLU(0.1)(i),
            L.ELU(0.5)(i),
            L.ReLU(6.0, 0.1, 0.2)(i),
            L.PReLU(alpha_initializer="ones")(i),
            L.Softmax()(i),
            L.ThresholdedReLU(0.5)(i),
            L.Dense(2, activation=L.LeakyReLU(0.2))(i),
            L.Dense(2, activation=tf.nn.relu6)(i),
            L.Dense(2, activation=tf.nn.swish)(i),
        ],
    ), [pix(5) * 16 - 8]


@kind
def merging():
    a, b = L.Input((4,)), L.Input((4,))
    return K.Model(
        [a, b],
        [
            f([a, b])
            for f in (
                L.Add(),
                L.Subtract(),
                L.Multiply(),
                L.Average(),
                L.Maximum(),
                L.Minimum(),
                L.Concatenate(),
                L.Dot(1, normalize=True),
            )
        ],
    ), [pix(4), pix(4)]


@kind
def shapes():
    i = L.Input((4, 6))
    return K.Model(
        i,
        [
            L.Permute((2, 1))(i),
            L.Reshape((2, -1))(i),
            L.Flatten()(i),
            L.RepeatVector(3)(L.Flatten()(i)),
            L.Cropping1D(1)(i),
            L.ZeroPadding1D(2)(i),
            L.UpSampling1D(2)(i),
            L.MaxPooling1D(2)(i),
            L.AveragePooling1D(2)(i),
        ],
    ), [pix(4, 6)]


@kind
def noise():
    return seq(
        L.GaussianNoise(0.5),
        L.GaussianDropout(0.3),
        L.AlphaDropout(0.2),
        L.Dropout(0.5),
        L.SpatialDropout1D(0.3),
        L.ActivityRegularization(0.1),
        L.Dense(2),
    )


@kind
def flip():
    return img(L.RandomFlip(), L.Flatten(), L.Dense(2))


@kind
def augmentation():
    return img(
        L.RandomFlip("horizontal"),
        L.RandomRotation(0.2),
        L.RandomZoom(0.1),
        L.RandomContrast(0.2),
        L.RandomTranslation(0.1, 0.1),
        L.RandomBrightness(0.1),
        L.RandomHeight(0.1),
        L.RandomWidth(0.1),
        L.RandomCrop(6, 6),
        L.Conv2D(2, 3),
        L.GlobalAveragePooling2D(),
    )


@kind
def locally():
    i = L.Input((6, 4))
    j = L.Input((5, 6, 2))
    return K.Model(
        [i, j],
        [
            L.LocallyConnected1D(3, 2, strides=2)(i),
            L.LocallyConnected2D(3, (2, 3), activation="relu")(j),
        ],
    ), [pix(6, 4), pix(5, 6, 2)]


@kind
def einsum():
    return seq(
        L.EinsumDense(
            "abc,cd->abd", output_shape=(None, 3), bias_axes="d", activation="relu"
        )
    )


@kind
def operators():
    i = L.Input((8, 8, 3))
    x = i / 127.5 - 1.0
    x = tf.nn.relu6(x + 3.0) / 6.0 * x
    y = tf.concat([x, tf.square(x)], axis=-1)
    z = tf.reshape(y[:, 1:5, ::2, :], [-1, 4 * 4 * 6])
    w = tf.reduce_mean(y, axis=[1, 2])
    return K.Model(
        i,
        [
            y,
            L.Dense(2)(z),
            1.0 - w,
            tf.nn.softmax(w, axis=-1),
            tf.transpose(x, [0, 3, 1, 2]),
            tf.expand_dims(w, 1),
            tf.math.l2_normalize(w, axis=1),
            tf.maximum(w, 0.1) * 2 - w**2,
            tf.cast(x > 0.0, tf.float32),
            tf.abs(-x),
            tf.clip_by_value(x, 0.0, 0.5),
            tf.image.resize(x, [4, 4]),
            x[..., 0],
            x[:, tf.newaxis, 0],
        ],
    ), [pix(8, 8, 3) * 255]


@kind
def operators_two():
    i, j = L.Input((4,)), L.Input((4,))
    return K.Model(
        [i, j],
        [
            tf.matmul(i, j, transpose_b=True),
            tf.stack([i, j], axis=1),
            tf.where(i > j, i, j),
            tf.split(i, 2, axis=1)[1],
            tf.squeeze(tf.expand_dims(i, 2), 2),
            tf.tile(i, [1, 2]),
            tf.exp(i) + tf.math.log(j + 1.0),
            tf.sqrt(tf.reduce_sum(tf.square(i - j), axis=1, keepdims=True)),
            tf.math.argmax(i, axis=1),
            K.backend.sum(K.backend.square(i), axis=1),
            tf.pad(i, [[0, 0], [1, 1]]),
            tf.gather(i, [0, 2], axis=1),
        ],
    ), [pix(4), pix(4)]


@kind
def half():
    p = "mixed_float16"
    return K.Sequential(
        [
            L.InputLayer((8, 8, 3)),
            L.Conv2D(4, 3, dtype=p),
            L.BatchNormalization(dtype=p),
            L.Activation("relu", dtype=p),
            L.GlobalAveragePooling2D(dtype=p),
            L.Dense(2, dtype="float32"),
        ]
    ), [pix(8, 8, 3)]


@kind
def double():
    K.backend.set_floatx("float64")
    try:
        return K.Sequential([L.InputLayer((4,)), L.Dense(3), L.Dense(2)]), [
            R.random((2, 4))
        ]
    finally:
        K.backend.set_floatx("float32")


@kind
def bytes_in():
    return K.Sequential(
        [
            L.InputLayer((8, 8, 3), dtype="uint8"),
            L.Rescaling(1 / 255),
            L.Conv2D(2, 3),
            L.Flatten(),
            L.Dense(2),
        ]
    ), [R.integers(0, 255, (2, 8, 8, 3)).astype("u1")]


@kind
def named_io():
    a = L.Input((3,), name="left")
    b = L.Input((2,), name="right")
    x = L.Concatenate()([a, b])
    return K.Model(
        {"left": a, "right": b},
        {"first": L.Dense(1, name="d1")(x), "second": L.Dense(2, name="d2")(x)},
        name="mymodel",
    ), {"left": pix(3), "right": pix(2)}


@kind
def encodings():
    a = L.Input((1,), dtype="int64")
    b = L.Input((2,))
    return K.Model(
        [a, b],
        [
            L.CategoryEncoding(5, "one_hot")(a),
            L.Discretization([0.2, 0.5, 0.7])(b),
            L.IntegerLookup(vocabulary=[3, 5, 7])(a),
            L.CategoryEncoding(5, "multi_hot")(a),
        ],
    ), [np.array([[3], [4]], "i8"), pix(2)]


@kind
def texts():
    a = L.Input((1,), dtype="string")
    return K.Model(
        a, L.Dense(2)(L.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(a))
    ), [np.array([["a"], ["z"]])]


@kind
def vectorized():
    a = L.Input((1,), dtype="string")
    v = L.TextVectorization(output_sequence_length=4, vocabulary=["cat", "dog"])
    return K.Model(a, L.Flatten()(L.Embedding(5, 2)(v(a)))), [
        np.array([["the cat"], ["dog dog."]])
    ]


@kind
def add_loss():
    i = L.Input((4,))
    x = L.Dense(3)(i)
    m = K.Model(i, x)
    m.add_loss(tf.reduce_mean(x))
    return m, [pix(4)]


def main(folder: Path) -> None:
    for name, make in KINDS.items():
        K.backend.clear_session()
        K.utils.set_random_seed(3)
        model, given = make()
        answered = model.predict(given, verbose=0)
        takes = given if isinstance(given, dict) else dict(numbered("x", given))
        if not isinstance(answered, dict):
            listed = answered if isinstance(answered, list) else [answered]
            answered = dict(numbered("y", listed))
        np.savez(
            folder / f"{name}.npz",
            **{f"in {key}": value for key, value in takes.items()},
            **{f"out {key}": value for key, value in answered.items()},
        )
        model.save(folder / f"{name}.h5")
        # Keras 2 cannot write an index of an ellipsis in this form.
        if name != "operators":
            model.save(folder / f"{name}.keras", save_format="keras")


def numbered(letter, arrays):
    return [(f"{letter}{index}", array) for index, array in enumerate(arrays)]


def pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:xz") as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name)


def trained(folder: Path) -> None:
    """Write a SavedModel with an optimizer's slots, as TensorFlow 2.0 to 2.10 did."""
    rows = np.eye(4, dtype="f4")
    model = K.Sequential(
        [
            L.InputLayer((4,)),
            L.Dense(3, "relu", kernel_regularizer="l2"),
            L.BatchNormalization(),
            L.Dense(3, "softmax"),
        ]
    )
    optimizer = K.optimizers.legacy.Adam()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(rows, np.array([0, 1, 2, 0]), verbose=0)
    model.save(folder / "adam", save_format="tf")
    np.savez(folder / "adam.npz", x=rows, y=model.predict(rows, verbose=0))


if __name__ == "__main__":
    here = Path(__file__).parent
    backends = here.parents[1] / "runtime" / "backends"
    for work, archive in (
        (main, here / "files.tar.xz"),
        (trained, backends / "optimizer_slots.tar.xz"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            work(Path(folder))
            pack(Path(folder), archive)
