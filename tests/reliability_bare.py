"""What Dash by itself does worse than the plan wants, and the test of each; see reliability.py."""

from __future__ import annotations

from typing import Final, NamedTuple


class Row(NamedTuple):
    """One row of the plan; ``open`` says what is not covered."""

    case: str
    expected: str
    tests: tuple[str, ...]
    open: str = ""


BARE: Final = (
    Row("unknown output of a callback", "400 JSON", ("test_broken_callbacks_are_refused",)),
    Row(
        "malformed and deep JSON",
        "400 within 50 ms",
        ("test_not_a_number_and_deep_nesting_are_not_json",),
    ),
    Row("text/plain body", "415", ("test_cross_site_form_trick_is_refused",)),
    Row("foreign Origin", "403", ("test_foreign_origins_are_refused",)),
    Row("50 MB body", "413", ("test_large_bodies_are_refused_before_parsing",)),
    Row("assets and suites outside, unknown suite", "404", ("test_unknown_files_are_not_found",)),
    Row("headers", "CSP and four more", ("test_every_answer_carries_the_headers",)),
    Row("forged background handles", "ignored", ("test_forged_background_handles_do_nothing",)),
    Row("signing secret", "private, never a default", ("test_keys_of_cookies",)),
    Row("MCP server", "404", ("test_nothing_for_developers_is_served",)),
    Row("slow callbacks", "pages answer meanwhile", ("test_pages_answer_while_sixteen_jobs_run",)),
    Row("gevent", "cannot happen", (), "the app is served by waitress, which it starts itself"),
)
