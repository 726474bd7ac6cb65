"""Collected by ``make cluster-test`` only: a cluster takes a minute to start and to stop."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("LOUPE_CLUSTER_TEST") else ["test_*.py"]
