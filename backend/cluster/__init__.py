"""One job on many machines: its items in shards, each computed by an actor that holds the model.

``backend.worker`` comes here for the works of :data:`backend.cluster.parts.WORKS` where
``LOUPE_RAY_ADDRESS`` is set. Ray itself is an optional package (``requirements-cluster.txt``).
"""
