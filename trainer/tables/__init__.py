"""Tables of numbers and texts: their files, their columns, and the network for them.

Each ``*_files`` module reads one format into ``Source``, which gives a table piece by
piece. ``gathering`` checks the pieces and joins them, once for all formats, and
``dataset`` makes the data set of them.
"""
