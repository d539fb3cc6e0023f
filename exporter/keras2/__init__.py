"""Read files of Keras 2 for Keras 3.

Keras 2 wrote most of the existing ``.h5`` and ``.keras`` files, and Keras 3 reads few
of them. Here the model is built again from layers of Keras 3, each from the settings
that Keras 2 wrote, and gets its weights from the file. No part of the file chooses what
Python runs: each class or function is looked up in a table, and never imported.

- ``file.py``: the places of the parts in a file;
- ``model.py``: the graph of layers;
- ``layers.py``: one layer, from its settings;
- ``operators.py``: functions of TensorFlow that were called between layers;
- ``former.py``: layers that Keras 3 does not have;
- ``weights.py``: the numbers.
"""
