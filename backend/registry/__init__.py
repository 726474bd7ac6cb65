"""Models and data sets of the user's own: what they are, where they lie, and which views take them.

A model is registered with a typed :class:`~backend.registry.spec.ModelSpec`; a data set with a
:class:`~backend.registry.data_spec.SetSpec`. Both lie in the database, so that the web process, its
workers and the command line see the same ones. Files stay where they are. Nothing is unpickled.
"""

from __future__ import annotations
