"""Tables of the documents against what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    """Names in the first column of the table below a heading."""
    section = ARCHITECTURE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    return [name.strip(" `/") for row in rows[2:] for name in row.split(",")]


def test_every_dependency_has_its_reason():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.split("==", line)[0].lower() for line in lines if line and line[0] != "#"}
    assert {name.lower() for name in first_cells("Dependencies")} == pinned


def test_every_requirement_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert not line or line[0] in "#-" or re.fullmatch(r"[\w.-]+==[\w.]+", line), line


def test_every_layer_is_described():
    layers = set(first_cells("Layers"))
    folders = {"pages", "components", "backend", "models", "assets"}
    assert folders <= layers


def test_vendored_packages_are_named_and_carry_their_licence():
    for folder in (ROOT / "assets" / "vendor").iterdir():
        assert folder.name.split("-")[0] in ARCHITECTURE.lower() or folder.name == "icons"
        assert any(path.name.startswith(("LICENSE", "OFL")) for path in folder.iterdir())
