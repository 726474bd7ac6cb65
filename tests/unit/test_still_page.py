"""``python -m backend render`` where no browser is: a page without its plots, said plainly."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from dash import html
from plotly.utils import PlotlyJSONEncoder

from backend import cli_render
from backend.errors import BadRequest, NotFound
from components import state
from components.method_card import MethodCard
from components.plot_card import plot_card

METHOD = MethodCard(shows="Counts.", cannot_show="Causes.", how_to_read="Higher is more.")


def layout() -> Any:
    cards = [
        plot_card("a", "Numbers & more", "How many?", "", table="made", method=METHOD),
        plot_card("b", "Not yet", "When?", "", table="missing"),
        plot_card("c", "Drawn only", "Where?", ""),
    ]
    seed = state.hidden("page", "seed", 3)
    page = html.Div([html.H1("A page"), html.P("What is it?"), seed, *cards])
    return json.loads(json.dumps(page, cls=PlotlyJSONEncoder))


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """An app that answers with :func:`layout` and one table, and no playwright."""
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(base: str, path: str, body: Mapping[str, Any]) -> Any:
        asked.append((path, body))
        if path == "/_table/missing.json":
            raise NotFound("This has not been computed.", "Open the page.")
        if path == "/_table/made.json":
            rows = [["<b>x</b>", 0.123456, None], *[["y", 1.0, 2]] * 300]
            return {"columns": ["name", "share", "n"], "rows": rows, "n": len(rows)}
        return {"response": {"_pages_content": {"children": layout()}}}

    monkeypatch.setattr(cli_render, "_ask", ask)
    monkeypatch.setattr(cli_render, "_server", lambda url: nullcontext("http://127.0.0.1:1"))
    monkeypatch.setitem(sys.modules, "playwright", None)
    return asked


def asked_for(out: Path) -> argparse.Namespace:
    return argparse.Namespace(link="/page?seed=3", out=out, url="")


def test_a_page_is_its_tables(posted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli_render.render(asked_for(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    said = "playwright, which is not installed. This file holds the tables of the page"
    assert said in text
    assert said in capsys.readouterr().err
    assert "<h1>A page</h1><p>What is it?</p>" in text
    assert "<h2>Numbers &amp; more</h2><p>How many?</p><p>200 of 301 rows.</p>" in text
    assert '<td>&lt;b&gt;x&lt;/b&gt;</td><td class="n">0.1235</td><td>–</td>' in text
    assert "<dd>Causes.</dd>" in text
    assert "This has not been computed. Open the page." in text
    assert "This card has no table." in text
    tables = [body for path, body in posted if path.startswith("/_table/")]
    assert [body["values"] for body in tables] == [{"seed": 3}] * 2


def test_a_picture_says_what_is_missing(posted, tmp_path: Path) -> None:
    with pytest.raises(cli_render.NoBrowser, match=r"package playwright.*An \.html with"):
        cli_render.render(asked_for(tmp_path / "page.png"))
    assert not list(tmp_path.iterdir())


def test_no_other_machine_is_asked() -> None:
    with pytest.raises(BadRequest, match="only a Loupe on this machine"):
        cli_render._ask("http://loupe.example:8050", "/_table/made.json", {})
