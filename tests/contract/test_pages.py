"""What every page must hold, whoever writes it: new pages are found in the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dash
import pytest
from dash.development.base_component import Component

from app import create_app
from backend.settings import Settings
from components import bundle
from components.runtime import CONFIG
from tests.bound import bound

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("[a-z]*.py"))
SHELL = re.compile(r"app-|shelf|theme|table-|report|_pages")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dash.Dash]:
    settings = Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path_factory.mktemp("pages"))})
    made = bound(create_app(settings))
    yield made
    made.server.config[CONFIG].close()


def page_of(name: str) -> dict[str, Any]:
    return next(p for p in dash.page_registry.values() if p["module"].split(".")[-1] == name)


def tree(component: Any) -> Iterator[Component]:
    if isinstance(component, Component):
        yield component
        yield from component._traverse()
    elif isinstance(component, (list, tuple)):
        for part in component:
            yield from tree(part)


@pytest.mark.parametrize("name", PAGES)
def test_builds_without_a_query_and_says_what_it_is(app: dash.Dash, name: str):
    page = page_of(name)
    with app.server.test_request_context("/"):
        layout = page["layout"]() if callable(page["layout"]) else page["layout"]
    assert layout is not None
    assert page["title"]
    if name != "not_found_404":
        assert page["description"]
        assert isinstance(page["order"], int)


@pytest.mark.parametrize("name", PAGES)
def test_ids_start_with_the_page_and_are_used_once(app: dash.Dash, name: str):
    page = page_of(name)
    with app.server.test_request_context("/"):
        layout = page["layout"]() if callable(page["layout"]) else page["layout"]
    ids = [getattr(part, "id", None) for part in tree(layout) if isinstance(part, Component)]
    plain = [i for i in ids if isinstance(i, str)]
    slug = page["path"].strip("/").split("/")[0] or "home"
    foreign = [i for i in plain if not i.startswith((slug, f"{name}-")) and not SHELL.match(i)]
    assert foreign == [] or name == "not_found_404"
    assert len(plain) == len(set(plain))


@pytest.mark.parametrize("name", PAGES)
def test_every_card_has_a_question_and_a_method(app: dash.Dash, name: str):
    """Each plot says what it asks and what it cannot show."""
    page = page_of(name)
    with app.server.test_request_context("/"):
        layout = page["layout"]() if callable(page["layout"]) else page["layout"]
    cards = [
        part for part in tree(layout) if "plot-card" in str(getattr(part, "className", "")).split()
    ]
    for card in cards:
        parts = list(tree(card))
        question = [p for p in parts if getattr(p, "className", "") == "plot-card-question"]
        assert question[0].children.endswith("?"), card.id
        kinds = [p.id.get("type") for p in parts if isinstance(getattr(p, "id", None), dict)]
        assert "method-card" in kinds, card.id


def test_callbacks_name_only_what_is_on_a_page(app: dash.Dash):
    """What Dash would check in every visitor's browser, if each page's layout were sent there."""
    with app.server.test_request_context("/"):
        shown = [page["layout"]() for page in dash.page_registry.values()]
        shell = app.layout() if callable(app.layout) else app.layout
    held = {str(getattr(part, "id", "")) for root in [*shown, shell] for part in tree(root)}
    for row in app.server.test_client().get("/_dash-dependencies").json:
        outputs = row["output"].strip(".").split("...")
        named = [out.rpartition(".")[0] for out in outputs if out]
        named += [one["id"] for one in [*row["inputs"], *row["state"]]]
        plain = {name for name in named if not name.startswith("{")}
        assert plain <= held, row["output"]


def test_the_second_app_of_a_process_has_the_same_callbacks(app: dash.Dash, tmp_path: Path):
    again = bound(create_app(Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path)})))
    with again.server.test_client() as client:
        names = {row["output"] for row in client.get("/_dash-dependencies").json}
    with app.server.test_client() as client:
        first = {row["output"] for row in client.get("/_dash-dependencies").json}
    again.server.config[CONFIG].close()
    assert names >= {name for name in first if "nero" in name or "home" in name}


def test_users_text_is_never_markup():
    sources = [*ROOT.glob("pages/*.py"), *ROOT.glob("components/**/*.py")]
    assert [p.name for p in sources if "dangerously_allow_html" in p.read_text()] == []
    scripts = ROOT.glob("assets/*.js")
    assert [p.name for p in scripts if re.search(r"\.innerHTML\s*=", p.read_text())] == []


@pytest.mark.parametrize(("kind", "files"), [("js", 100), ("css", 20)])
def test_scripts_and_styles_are_one_file_each_named_by_its_contents(
    app: dash.Dash, kind: str, files: int
):
    client = app.server.test_client()
    page = client.get("/").get_data(as_text=True)
    (url,) = re.findall(rf'"(/assets/loupe-[0-9a-f]{{16}}\.{kind})"', page)
    assert not re.search(rf"/assets/[^\"]+\.{kind}\?m=", page)
    answer = client.get(url)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    names = sorted(path for path in (ROOT / "assets").glob(f"*.{kind}"))
    own = [path.read_text("utf-8") for path in names if not path.name.startswith("openseadragon")]
    assert len(own) > files
    text = answer.get_data(as_text=True)
    places = [text.find(part) for part in own]
    assert min(places) >= 0
    assert places == sorted(places)
    other = client.get(re.sub("-[0-9a-f]{16}", "-" + "0" * 16, url))
    assert other.data == answer.data
    assert other.headers["Cache-Control"] == "no-cache"


def test_one_files_tag_replaces_those_of_the_folder(tmp_path: Path):
    (tmp_path / "a.js").write_text("throw new Error('a')")
    (tmp_path / "b.js").write_text("window.b = 1;")
    one = '<script src="/assets/{}.js?m=1.5"></script>'
    text = (
        f'<script src="/x.js"></script>\n{one.format("a")}\n{one.format("b")}\n<script>y</script>'
    )
    found = bundle._tags(lambda: text, partial(bundle._joined, tmp_path), "js")
    tags = re.sub("[0-9a-f]{16}", "N", found).split("\n")
    assert tags == [
        '<script src="/x.js"></script>',
        '<script src="/assets/loupe-N.js"></script>',
        "<script>y</script>",
    ]
    assert bundle._tags(lambda: "<script>y</script>", lambda *_: ("", ""), "js") == tags[-1]
