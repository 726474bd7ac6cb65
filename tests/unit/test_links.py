"""Short links."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.database import make_tables, open_engine
from backend.errors import BadRequest, NotFound
from backend.links import ID, Link, LinkStore


@pytest.fixture
def links(tmp_path: Path) -> Iterator[LinkStore]:
    engine = open_engine(f"sqlite:///{tmp_path / 'state' / 'loupe.db'}")
    make_tables(engine)
    yield LinkStore(engine)
    engine.dispose()


def test_link_leads_back_and_is_the_same_for_the_same(links: LinkStore) -> None:
    link_id = links.put("/nero", '{"ids":[1,2]}')
    assert ID.match(link_id)
    assert links.put("/nero", '{"ids":[1,2]}') == link_id
    assert links.put("/gap", '{"ids":[1,2]}') != link_id
    assert links.get(link_id) == Link("/nero", '{"ids":[1,2]}')


@pytest.mark.parametrize(
    "path",
    [
        *("", "nero", "//evil.example", "/\\evil.example", "https://evil.example", "/a//b"),
        *("/a\r\nX: y", "/nero?x=1", "javascript:alert(1)", "/..", "/" + "a" * 300),
    ],
)
def test_only_pages_of_this_app(links: LinkStore, path: str) -> None:
    with pytest.raises(BadRequest, match="not a page of this app"):
        links.put(path, "{}")


@pytest.mark.parametrize("path", ["/", "/nero", "/metric-learning", "/a/b_c"])
def test_pages_are_accepted(links: LinkStore, path: str) -> None:
    assert links.get(links.put(path, "{}")).path == path


def test_too_long_state_is_refused(links: LinkStore) -> None:
    with pytest.raises(BadRequest, match="200000 are allowed"):
        links.put("/nero", "x" * 200_001)


@pytest.mark.parametrize(
    "link_id", ["", "x", "../../etc", "a" * 10, "A" * 10, "' OR 1=1--", "é" * 10]
)
def test_unknown_links(links: LinkStore, link_id: str) -> None:
    with pytest.raises(NotFound):
        links.get(link_id)


def test_tabs_making_the_same_link_at_once(links: LinkStore) -> None:
    made: list[str] = []
    tabs = [
        threading.Thread(target=lambda: made.append(links.put("/nero", "{}"))) for _ in range(6)
    ]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(made) == 6
    assert len(set(made)) == 1


def test_database_is_durable_and_private(links: LinkStore) -> None:
    with links.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
    folder = Path(links.engine.url.database or "").parent
    assert folder.stat().st_mode & 0o777 == 0o700


def test_bad_database_url_is_a_sentence() -> None:
    with pytest.raises(BadRequest, match="LOUPE_DATABASE_URL"):
        open_engine("not a url")
