"""``python -m backend render``: a link as a picture and as one self-contained file."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import dash
import pytest
from PIL import Image

from backend import cli_render, static_page
from backend.cli_render import path_of
from backend.settings import PROJECT


def rendered(app_url: str, link: str, out: Path) -> None:
    """In a process of its own: this one drives a browser already."""
    command = [sys.executable, "-m", "backend", "render", link, str(out), "--url", app_url]
    env = {**os.environ, "LOUPE_STATE_DIR": str(out.parent)}
    subprocess.run(command, cwd=PROJECT, env=env, check=True, capture_output=True, timeout=100)


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_a_link_is_drawn_to_a_file(app_url: str, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"page.{suffix}"
    rendered(app_url, "/modality-gap?view=models", out)
    if suffix == "png":
        with Image.open(out) as picture:
            assert picture.width == 1280
            assert picture.height > 900  # the whole page, not the window
            assert len(picture.convert("RGB").getcolors(2**24) or ()) > 50
        return
    text = out.read_text(encoding="utf-8")
    assert "Modality gap" in text
    assert "view=models" in text  # the link back to the live view
    assert "<script src" not in text
    assert 'src="http' not in text


def test_a_still_page_holds_the_tables_of_the_link(app_url: str) -> None:
    link = "/modality-gap?view=models&seed=3"
    text = static_page.document(partial(cli_render._ask, app_url), link, "There is no browser.")
    assert "<p>There is no browser.</p>" in text.replace(' class="said"', "")
    assert "<tr><th>seed</th><td>3</td></tr>" in text  # the state is that of the link
    numbers = text[text.index("<h2>Models compared</h2>") :]
    assert "RankCLIP" in numbers
    assert '<td class="n">' in numbers


def test_every_page_has_a_link_that_can_be_drawn() -> None:
    for page in dash.page_registry.values():
        if page["module"].startswith("pages.") and page["path"] != "/404":
            assert path_of(f"{page['path']}?a=1") == f"{page['path']}?a=1"
