"""The command line: the same functions as the pages, without a browser.

``python -m backend --help`` lists the subcommands. Numbers go to the files named; progress and
notes go to standard error; a mistake in the arguments is one sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from backend import (
    cli_crayon,
    cli_fair,
    cli_gap,
    cli_insights,
    cli_metric,
    cli_nero,
    cli_operate,
    cli_project,
    cli_render,
    cli_results,
    cli_show,
    cli_team,
    cli_zoom,
    devices,
    plugins,
)
from backend.errors import BackendError, Cancelled

USAGE_ERROR = 2
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """All subcommands."""
    whole = argparse.ArgumentParser(
        prog="python -m backend", description="Loupe without a browser."
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    cli_nero.add(commands)
    cli_crayon.add(commands)
    cli_insights.add(commands)
    cli_metric.add(commands)
    cli_project.add(commands)
    cli_render.add(commands)
    cli_results.add(commands)
    cli_show.add(commands)
    cli_zoom.add(commands)
    cli_gap.add(commands)
    cli_fair.add(commands)
    cli_team.add(commands)
    cli_operate.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand and returns the exit code."""
    devices.let_threads_sleep()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        asked = parser().parse_args(arguments)  # some commands list what is registered
        plugins.load()
        asked.run(asked)
    except BackendError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE_ERROR
    except (KeyboardInterrupt, Cancelled):
        sys.stderr.write("Stopped; nothing was written.\n")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
