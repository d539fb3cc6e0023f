"""Models in an object store (S3, Google's, Azure's), and a copy on this machine.

``object_store`` publishes versions, labels and removals there; ``mirror`` keeps a
folder of this machine like it, as far as this machine serves the models;
``mirrored_store`` is the ``ModelStore`` over both. ``bucket`` alone imports obstore.
Where ``modelDir`` is a folder, ``address`` and ``opening`` alone are imported.

The keys, below the URL's own path::

    versions/<model>/<n>.json       the version's manifest; it makes the version visible
    labels/<model>/<label>.json     the number that a label points to
    blobs/<model>/<sha256>          a file, by its content
    changed                         another text after each change
"""
