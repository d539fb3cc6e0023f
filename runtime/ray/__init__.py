"""Many machines with Ray: serving and scoring, with the same rooms inside.

This needs the extra ``cluster``. The files of this folder, and ``trainer.ray``, are the
only ones that import Ray, and no other part of the service needs them.
"""
