"""Models in an object store (S3, Google's, Azure's), and a copy on this machine.

``object_reader`` finds what is there, and ``object_store`` publishes versions, labels
and removals; ``blobs``, ``manifests``, ``object_labels`` and ``change_list`` each write
one kind of objects. ``mirror`` keeps a folder of this machine like the store, as far as
this machine serves the models; ``mirrored_store`` is the ``ModelStore`` over both.
``bucket`` alone imports obstore.
Only ``address`` and ``opening`` are imported where ``modelDir`` is a folder.

The keys, below the URL's own path::

    versions/<model>/<n>.json       the version's manifest; it makes the version visible
    labels/<model>/<label>.json     the number that a label points to
    blobs/<model>/<sha256>          a file, by its content
    changed                         the names of the models that changed last
    time                            an empty object, written to learn the store's time
"""
