"""Collected by ``make soak`` only."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("LOUPE_SOAK") else ["test_*.py"]
