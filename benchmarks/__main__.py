"""``python -m benchmarks [module ...]``: run the modules and print one table."""

from __future__ import annotations

import importlib
import sys

from benchmarks.table import Row, rendered

MODULES = ("server", "nero")


def main(chosen: list[str]) -> int:
    """Exit code: 0 if every row holds."""
    unknown = [name for name in chosen if name not in MODULES]
    if unknown:
        sys.stderr.write(f"There is no benchmark {unknown[0]!r}; there is {', '.join(MODULES)}.\n")
        return 2
    rows: list[Row] = []
    for name in chosen or MODULES:
        rows += importlib.import_module(f"benchmarks.{name}").rows()
    sys.stdout.write(rendered(rows) + "\n")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
