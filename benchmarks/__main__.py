"""``python -m benchmarks [--write] [module ...]``: run the modules and print one table.

``--write`` also puts the table of each module that ran into its part of ``docs/results/speed.md``.
"""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.table import Row, rendered

MODULES: Final = (
    "server", "nero", "nero_detection", "nero_piv", "nero_points", "zoom", "crayon", "insights",
    "metric", "fair", "scatter", "maps", "gap", "registry", "own_models",
)  # fmt: skip
RECORD: Final = Path(__file__).resolve().parents[1] / "docs" / "results" / "speed.md"
HEAD: Final = """# Measured speed

Written by `python -m benchmarks --write`; do not edit by hand. Both sides of a row ran in turns in
one process on one machine; compare the ratios, not the times. Forward passes and orbits use one
thread. Python {python}, {machine}.

"""


def main(chosen: list[str]) -> int:
    """Exit code: 0 if every row holds."""
    writes = "--write" in chosen
    chosen = [name for name in chosen if name != "--write"]
    unknown = [name for name in chosen if name not in MODULES]
    if unknown:
        sys.stderr.write(f"There is no benchmark {unknown[0]!r}; there is {', '.join(MODULES)}.\n")
        return 2
    found: dict[str, list[Row]] = {}
    for name in chosen or MODULES:
        found[name] = importlib.import_module(f"benchmarks.{name}").rows()
        sys.stdout.write(rendered(found[name]) + "\n")
        if writes:
            RECORD.write_text(recorded(found, RECORD.read_text(encoding="utf-8")), encoding="utf-8")
    return 0 if all(row.ok for rows in found.values() for row in rows) else 1


def recorded(found: Mapping[str, Sequence[Row]], before: str) -> str:
    """The record with the parts of the modules in ``found`` new and the others as they were."""
    parts = dict(part.split("\n", 1) for part in before.split("\n## ")[1:])
    parts |= {name: f"\n{rendered(rows)}\n" for name, rows in found.items()}
    head = HEAD.format(python=platform.python_version(), machine=platform.machine())
    known = [f"## {name}\n{parts[name].rstrip()}\n" for name in MODULES if name in parts]
    return head + "\n".join(known)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
