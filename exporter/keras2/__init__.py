"""Files of Keras 2, read for Keras 3.

Keras 2 wrote most of the ``.h5`` and ``.keras`` files there are, and Keras 3 reads few
of them. Here the model is built once more from layers of Keras 3, each from the
settings that Keras 2 wrote down, and gets its weights from the file. No part of the
file chooses what Python runs: a class or function is looked up in a table, and never
imported.

- ``file.py``: where the parts lie in a file;
- ``model.py``: the graph of layers;
- ``layers.py``: one layer, by its settings;
- ``operators.py``: functions of TensorFlow that were called between layers;
- ``former.py``: layers that Keras 3 does not have;
- ``weights.py``: the numbers.
"""
