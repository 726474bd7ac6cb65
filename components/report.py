"""The button that saves the open page as one HTML file; ``assets/31-report.js`` writes the file."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from components.icons import icon
from components.method_card import named

REPORT_BUTTON: Final = "report-button"


def report_button() -> Component:
    """A header button; where the header is narrow only its icon is seen.

    ``31-report.js`` knows the button by its id.
    """
    return html.Button(
        [icon("file-export"), html.Span("Export report", className="lp-wide-only")],
        type="button",
        id=REPORT_BUTTON,
        className="lp-btn",
        title="Save this page, with its plots and tables, as one file that works offline",
        **named(aria_label="Export report"),
    )
