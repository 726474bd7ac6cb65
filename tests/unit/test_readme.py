"""What the README says can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line
    for kind, text in BLOCKS
    for line in text.splitlines()
    if kind == "sh" and line.startswith("python -m backend")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command: str):
    assert parser().parse_args(shlex.split(command)[3:])


def test_there_are_commands():
    assert len(COMMANDS) >= 2


def test_the_python_example_runs():
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    names = {"model": lambda batch: np.full((len(batch), 10), 0.1, dtype=np.float32)}
    exec(code, names)
    assert names["result"].metric.shape == (50, 72)


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(target: str):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("name", re.findall(r"^make ([a-z-]+)", README, flags=re.MULTILINE))
def test_make_targets_exist(name: str):
    assert f"\n{name}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
