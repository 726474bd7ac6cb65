"""NERO: how a model's answer changes along an orbit of its input (Zhao 2024, chapter 5)."""

from __future__ import annotations

from backend.nero import orbits
from backend.nero.consensus import consensus
from backend.nero.evaluation import evaluate
from backend.nero.result import OrbitResult

__all__ = ["OrbitResult", "consensus", "evaluate", "orbits"]
