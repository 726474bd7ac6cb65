"""Team: who works here, and what was changed?"""

from __future__ import annotations

from typing import Final

from dash import ClientsideFunction, Input, Output, clientside_callback, dcc, html, register_page
from dash.development.base_component import Component

from backend.team.people import ADMIN, ROLES
from components.identity import person
from components.method_card import named

register_page(
    __name__,
    path="/team",
    name="Team",
    title="Team · Loupe",
    description="Who works here, and what was changed?",
    order=95,
    icon="users",
    roles=(ADMIN,),
)

PAGE: Final = "team-page"
DRAWN: Final = "team-drawn"


def layout(**_query: str) -> html.Div:
    """Places that ``assets/16-team.js`` fills in; without a login, how to set one up."""
    asks = person()
    head = html.Header([html.H1("Team"), html.P("Who works here, and what was changed?")])
    if asks is None or asks.role != ADMIN:
        return html.Div(
            [head, _closed(asks is None), dcc.Store(id=DRAWN)], id=PAGE, className=PAGE_CLASS
        )
    roles = "; ".join(f"{role} {what}" for role, what in ROLES.items())
    cards = [
        _card("users", "Users", f"{roles}.", has_form=True),
        _card(
            "invites", "Invitations", "A link lets one annotator in, until it ends.", has_form=True
        ),
        _card(
            "changes", "Log of changes", "The newest 200. It holds no contents and no passwords."
        ),
    ]
    return html.Div([head, *cards, dcc.Store(id=DRAWN)], id=PAGE, className=PAGE_CLASS)


PAGE_CLASS: Final = "lp-page team-page"


def _closed(is_open_to_all: bool) -> Component:
    if not is_open_to_all:
        return html.P("This page is for admins of the team.", className="lp-card team-card")
    return html.Div(
        [
            html.P(
                "No login is set up: Loupe serves this machine only, and whoever sits here is its "
                "owner."
            ),
            html.P(
                [
                    "To work as a team, add yourself with ",
                    html.Code("python -m backend users add NAME --role admin"),
                    " and start with ",
                    html.Code("LOUPE_AUTH=password"),
                    ". docs/operate.md tells the rest.",
                ]
            ),
        ],
        className="lp-card team-card",
    )


def _card(name: str, title: str, note: str, *, has_form: bool = False) -> html.Section:
    parts: list[Component] = [html.H2(title), html.P(note, className="lp-muted lp-small")]
    if has_form:
        parts.append(html.Div(id=f"team-{name}-form"))
    parts.append(html.P(id=f"team-{name}-said", className="team-said", role="status"))
    parts.append(
        html.Div(
            id=f"team-{name}",
            className="team-wide",
            tabIndex=0,
            role="region",
            **named(aria_label=title),
        )
    )
    return html.Section(parts, className="lp-card team-card")


# Dash starts a callback of a page that mounts only if it has an output there.
clientside_callback(
    ClientsideFunction("loupe_team", "mounted"), Output(DRAWN, "data"), Input(PAGE, "id")
)
