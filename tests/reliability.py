"""Which test stands for which attack or fault of the plan.

``python -m tests.reliability`` prints it.

A row without a test says why it has none. ``tests/unit/test_reliability.py`` checks that every test
named here exists.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.reliability_bare import BARE, Row

HERE: Final = Path(__file__).parent


CASES: Final = {
    "P1": Row(
        "hostile ids on every route",
        "400 or 404, nothing read",
        (
            "test_hostile_names_on_every_route_that_takes_one",
            "test_names_from_outside_reach_nothing",
            "test_nothing_outside_the_folders_is_opened",
        ),
    ),
    "P2": Row("tiles that are none", "404 without decoding", ("test_other_tiles_are_not_there",)),
    "P3": Row("names of downloads", "sanitised", ("test_tables",)),
    "U1": Row(
        "images with huge headers",
        "refused from the header",
        (
            "test_bad_files_are_a_sentence_before_anything_is_decoded",
            "test_a_large_image_is_taken_and_a_larger_one_is_refused",
        ),
    ),
    "U2": Row(
        "truncated and foreign formats",
        "refused by content",
        (
            "test_bad_files_are_a_sentence_before_anything_is_decoded",
            "test_a_file_that_was_cut_short_is_told_when_it_is_read",
        ),
    ),
    "U3": Row(
        "page inside an image",
        "served as image/* with nosniff",
        ("test_media_is_immutable_and_typed", "test_every_answer_carries_the_headers"),
    ),
    "U4": Row(
        "zip bombs, links, ..",
        "refused, nothing outside",
        ("test_links_and_bombs_in_archives_are_refused", "test_archives_that_lead_out_are_refused"),
    ),
    "U5": Row(
        "npy of objects, headers that lie, odd tables",
        "refused",
        (
            "test_object_arrays_are_refused",
            "test_pickles_inside_a_file_are_never_read",
            "test_whatever_is_in_a_table_it_is_read_or_refused_with_a_sentence",
        ),
    ),
    "U6": Row(
        "large and broken uploads, disk full",
        "413 or a sentence, no remains",
        (
            "test_large_bodies_are_refused_before_parsing",
            "test_uploads_have_a_quota",
            "test_an_upload_that_is_no_image_leaves_nothing",
            "test_really_full_disk",
        ),
    ),
    "U7": Row(
        "one file by many at once", "one copy", ("test_the_same_image_sent_by_many_is_stored_once",)
    ),
    "M1": Row(
        "weights that run code",
        "refused",
        ("test_what_can_run_code_is_not_taken_from_the_browser",),
    ),
    "M2": Row(
        "other model files",
        "from the web only what runs no code",
        (
            "test_what_can_run_code_is_not_taken_from_the_browser",
            "test_a_mistake_is_a_sentence_that_says_what_to_do",
        ),
    ),
    "M3": Row("names of code", "only registered ones", ("test_only_works_of_the_table_run",)),
    "M4": Row(
        "weights that do not fit or are not finite",
        "refused with their names",
        (
            "test_weights_that_are_not_finite_are_refused",
            "test_a_missing_tensor_is_named",
            "test_a_wrong_shape_is_named",
        ),
    ),
    "X1": Row(
        "markup in names",
        "shown as text",
        (
            "test_titles_are_text",
            "test_emoji_right_to_left_text_and_html_stay_as_they_are",
            "test_injected_scripts_do_not_run",
        ),
    ),
    "X2": Row(
        "markup in plots",
        "shown as text",
        ("test_names_cannot_become_markup", "test_svg_metadata_and_hostile_title"),
    ),
    "X3": Row("raw HTML", "nowhere", ("test_users_text_is_never_markup",)),
    "X4": Row(
        "SVG sent in", "refused", ("test_bad_files_are_a_sentence_before_anything_is_decoded",)
    ),
    "X5": Row(
        "formulas in CSV",
        "disarmed",
        ("test_csv_disarms_formulas_in_text_only", "test_no_cell_is_a_formula"),
    ),
    "C1": Row(
        "requests of other sites",
        "403",
        ("test_foreign_origins_are_refused", "test_other_sites_log_nobody_in_and_write_nothing"),
    ),
    "C2": Row(
        "frames and cookies",
        "forbidden; HttpOnly, SameSite, Secure",
        ("test_every_answer_carries_the_headers", "test_cookies_have_their_flags"),
    ),
    "C3": Row(
        "replayed, planted and forged sessions",
        "nobody",
        (
            "test_a_cookie_is_worth_nothing_after_logging_out",
            "test_a_login_never_keeps_the_session_it_came_with",
            "test_forged_cookies_are_nobody",
            "test_keys_of_cookies",
        ),
    ),
    "A1": Row(
        "what belongs to others",
        "404, 0 of 1000 guesses",
        (
            "test_an_annotator_finds_no_result_job_or_draft_of_others",
            "test_annotators_are_themselves_only",
            "test_an_invitation_is_for_its_set_only",
            "test_the_page_of_an_annotator_holds_nothing_of_other_pages",
            "test_what_one_analyst_makes_others_of_the_team_find",
        ),
        "analysts of one team share sets, results and drafts by design",
    ),
    "A2": Row(
        "no login",
        "401 or 302 on every route and callback",
        (
            "test_nothing_answers_without_a_login_but_the_public_list",
            "test_no_callback_answers_without_a_login",
            "test_roles_hold_on_every_route",
        ),
    ),
    "A3": Row(
        "guessing passwords",
        "429 after 10, no difference in time",
        (
            "test_wrong_passwords_end_in_429_and_the_right_one_waits_too",
            "test_unknown_names_take_as_long_as_wrong_passwords",
        ),
    ),
    "A4": Row(
        "forged inputs of every callback",
        "400 or a notice",
        ("test_no_callback_fails_for_forged_requests", "test_ten_thousand_forged_requests"),
    ),
    "R1": Row(
        "one user floods",
        "429, others go on",
        ("test_one_user_asking_too_fast_does_not_slow_another",),
    ),
    "R2": Row("16 slow jobs", "pages answer", ("test_pages_answer_while_sixteen_jobs_run",)),
    "R3": Row(
        "numbers out of range",
        "refused with the range",
        (
            "test_hostile_queries_on_every_route",
            "test_values_out_of_range_are_refused",
            "test_numbers_of_draws_out_of_range_are_refused",
        ),
    ),
    "R4": Row(
        "the browser leaves",
        "the job is cancelled or ends once, no orphan",
        ("test_a_released_view_waits_for_nothing", "test_killed_server_leaves_no_worker"),
    ),
    "R5": Row(
        "cancel twice, forged handles",
        "one cancel; 404",
        ("test_pages_answer_while_sixteen_jobs_run", "test_forged_job_id_is_not_found"),
    ),
    "F1": Row(
        "worker killed",
        "the job is marked, no half file",
        (
            "test_killed_worker_leaves_no_half_file_and_can_run_again",
            "test_worker_killed_during_a_run",
        ),
    ),
    "F2": Row(
        "server killed while answers come",
        "none acknowledged is lost",
        (
            "test_killed_at_any_moment_no_acknowledged_answer_is_lost",
            "test_web_and_worker_killed_at_random_lose_no_acknowledged_answer",
        ),
    ),
    "F3": Row(
        "two about one item",
        "both in the history",
        (
            "test_two_annotators_at_the_same_instant",
            "test_two_tabs_never_share_a_number_and_two_people_are_settled",
        ),
    ),
    "F4": Row(
        "Redis down, lost, flushed",
        "slower, not broken",
        (
            "test_redis_that_goes_away_makes_the_app_slower_not_broken",
            "test_flushed_redis_is_a_miss",
            "test_the_app_starts_and_answers_without_its_redis",
        ),
    ),
    "F5": Row(
        "read-only, full, no files left, clock back",
        "a sentence; nothing lost",
        (
            "test_really_full_disk",
            "test_a_full_disk_loses_nothing_and_says_so",
            "test_a_read_only_state_folder_is_a_sentence",
            "test_without_open_files_left_a_sentence_and_then_all_is_well",
            "test_the_clock_may_jump_back",
        ),
    ),
    "F6": Row(
        "damaged results and caches",
        "computed again, never unpickled",
        ("test_damaged_result_is_computed_again", "test_poisoned_values_are_never_unpickled"),
    ),
    "F7": Row(
        "no memory",
        "the job fails alone; batches halve",
        (
            "test_a_job_without_memory_fails_alone_and_the_next_one_runs",
            "test_a_full_device_halves_the_batch_and_goes_on",
        ),
    ),
    "F8": Row(
        "models that answer nonsense or hang",
        "undefined; ended",
        (
            "test_models_that_answer_nonsense_are_shown_as_undefined_without_a_warning",
            "test_hanging_job_is_ended_after_the_grace_period",
            "test_an_all_zero_map_stays_zero_and_finite",
        ),
    ),
    "F9": Row(
        "no WebGL, or lost while a page is open",
        "the same points",
        (
            "test_many_contents_are_drawn_by_webgl_and_few_are_not",
            "test_both_painters_draw_the_points",
            "test_a_lost_gpu_that_comes_back_draws_the_same_points",
        ),
        "plotly's own WebGL traces are plotly's to restore",
    ),
    "F10": Row(
        "late and doubled answers",
        "the last request wins",
        (
            "test_newest_request_of_a_view_wins",
            "test_offline_answers_wait_and_are_sent_once_in_order",
        ),
    ),
    "F11": Row(
        "no points, undefined points",
        "finite bounds",
        (
            "test_undefined_cells_stay_empty_and_a_key_says_what_they_are",
            "test_quantised_edge_cases",
        ),
    ),
    "F12": Row(
        "torn and odd pyramids",
        "whole tiles only",
        (
            "test_a_torn_pyramid_shows_its_whole_tiles_only",
            "test_grey_and_transparent_files_become_rgb_over_black",
        ),
    ),
    "F13": Row(
        "older and newer databases",
        "migrated or refused",
        (
            "test_steps_go_up_and_down_and_up_and_keep_the_answers",
            "test_a_database_of_a_newer_version_is_refused",
        ),
    ),
    "F14": Row(
        "SIGTERM under load",
        "answers under way are sent",
        (
            "test_an_answer_under_way_is_sent_whole_after_sigterm",
            "test_one_line_then_sigterm_ends_everything",
        ),
    ),
    "F15": Row("fork after threads", "workers are spawned", ("test_warm_starts_the_workers",)),
    "S1": Row(
        "addresses in requests",
        "nothing is fetched",
        ("test_no_address_is_fetched", "test_only_the_login_at_an_issuer_can_ask_the_network"),
    ),
    "S2": Row(
        "pickles from brokers, open ports",
        "JSON only, none",
        ("test_nothing_listens_but_the_server_itself", "test_poisoned_values_are_never_unpickled"),
        "the ports of a Ray cluster are the operator's to close: docs/operate.md",
    ),
    "S3": Row(
        "packages with holes",
        "the doctor and CI say so",
        ("test_known_holes_are_pinned_away", "test_a_package_with_a_hole_is_found"),
    ),
    "S4": Row(
        "secrets in pages and logs",
        "none",
        (
            "test_no_secret_of_the_settings_reaches_a_browser_or_the_log",
            "test_secrets_are_not_in_what_settings_print",
            "test_every_answer_has_an_id_that_the_log_has_too",
        ),
    ),
    "S5": Row(
        "debug mode in public",
        "there is none",
        ("test_nothing_for_developers_is_served", "test_no_start_without_a_login_that_works"),
    ),
    "S6": Row(
        "people's names",
        "only where the role allows",
        (
            "test_roles_hold_on_every_route",
            "test_the_page_of_an_annotator_holds_nothing_of_other_pages",
        ),
    ),
}


def places() -> dict[str, list[str]]:
    """The files that each test is in, by its name."""
    found = defaultdict(list)
    for path in sorted(HERE.rglob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE):
            found[name].append(str(path.relative_to(HERE.parent)))
    return found


def main() -> None:
    """The table as text, and how much of it has a test."""
    rows = [("", row) for row in BARE] + list(CASES.items())
    where = places()
    for name, row in rows:
        sys.stdout.write(f"{name:4} {row.case}: {row.expected}\n")
        for test in row.tests:
            sys.stdout.write(f"       {where[test][0]}::{test}\n")
        if row.open:
            sys.stdout.write(f"       but: {row.open}\n")
    covered = sum(bool(row.tests) for _, row in rows)
    sys.stdout.write(f"{covered} of {len(rows)} rows have a test.\n")


if __name__ == "__main__":
    main()
