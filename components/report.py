"""The button that saves the open page as one HTML file; ``assets/31-report.js`` writes the file."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from components.method_card import named


def report_button() -> Component:
    """A header button; on narrow screens its label is for screen readers only."""
    return html.Button(
        [
            html.Span(className="card-icon card-icon-report", **named(aria_hidden="true")),
            html.Span("Export report", className="report-label"),
        ],
        type="button",
        id="report-button",
        className="report-button",
        title="Save this page, with its plots and tables, as one HTML file",
        **named(data_action="report", aria_label="Export report"),
    )
