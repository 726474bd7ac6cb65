"""``python -m backend render``: a link as a picture and as one self-contained file."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from html import escape
from pathlib import Path

import dash
import pytest
from PIL import Image
from playwright.sync_api import Page

from backend import cli_render, static_page
from backend.cli_render import path_of
from backend.errors import BadRequest
from backend.settings import PROJECT
from tests.browser.driving import Traffic

LOST = "not_found_404"  # what an address that is no page shows: nothing to be drawn
PAGES = sorted({path.stem for path in (PROJECT / "pages").glob("*.py")} - {"__init__", LOST})
"""Whatever lies in ``pages``: the app registers every one of them, so a new one is drawn here."""


def rendered(app_url: str, link: str, out: Path) -> None:
    """In a process of its own: this one drives a browser already."""
    command = [sys.executable, "-m", "backend", "render", link, str(out), "--url", app_url]
    env = {**os.environ, "LOUPE_STATE_DIR": str(out.parent)}
    subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True, timeout=100)


def test_a_link_is_drawn_to_a_file(app_url: str, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    rendered(app_url, "/modality-gap?view=models", out)
    text = out.read_text(encoding="utf-8")
    assert "Modality gap" in text
    assert "view=models" in text  # the link back to the live view
    assert "<script src" not in text
    assert 'src="http' not in text


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn(
    page: Page,
    app_url: str,
    traffic: Traffic,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name == "gap":  # nobody has typed a query, and the table of Retrieval says so
        traffic.allow("modality-gap-find.json")
        traffic.allow("400 (BAD REQUEST)")
    monkeypatch.setattr(cli_render, "QUIET_S", 0.3)  # this server is asked by nobody else
    about = dash.page_registry[f"pages.{name}"]
    link, outs = path_of(about["path"]), [tmp_path / "page.png", tmp_path / "page.html"]
    cli_render.draw(page, f"{app_url}{link}", outs, 60)
    with Image.open(outs[0]) as picture:
        assert picture.width == 1280
        assert picture.height >= 900  # the whole page, not the window
        assert len(picture.convert("RGB").getcolors(2**24) or ()) > 50
    heading = page.locator("#main h1").first.inner_text()
    text = outs[1].read_text(encoding="utf-8")
    assert f"<h1>{escape(heading)}</h1>" in text
    assert 'src="http' not in text
    is_drawn = page.locator("section.plot-card").count() > 0
    assert ("data:image/png" in text) or is_drawn
    still = static_page.document(partial(cli_render._ask, app_url), link, "No browser.")
    assert f"<h1>{escape(heading)}</h1>" in still
    assert "Something went wrong (reference" not in still + text


def test_an_address_that_is_no_page_is_refused(page: Page, app_url: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="'/nothing' is no page"):
        cli_render.draw(page, f"{app_url}/nothing", [tmp_path / "page.png"], 60)
    assert not list(tmp_path.iterdir())


def test_a_still_page_holds_the_tables_of_the_link(app_url: str) -> None:
    link = "/modality-gap?view=models&seed=3"
    text = static_page.document(partial(cli_render._ask, app_url), link, "There is no browser.")
    assert "<p>There is no browser.</p>" in text.replace(' class="said"', "")
    assert "<tr><th>seed</th><td>3</td></tr>" in text  # the state is that of the link
    numbers = text[text.index("<h2>Models compared</h2>") :]
    assert "RankCLIP" in numbers
    assert '<td class="n">' in numbers
