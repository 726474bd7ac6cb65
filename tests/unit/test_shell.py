"""The look in one place: tokens equal the Python theme, contrast holds, icons are in step."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest
from dash import html

from backend.errors import BadRequest
from backend.settings import PROJECT, Settings
from components import icons, index, notices, shell, theme
from components.device import device_text

TOKENS = (PROJECT / "assets" / "00-tokens.css").read_text(encoding="utf-8")


def block(scheme: str) -> dict[str, str]:
    """Custom properties of one scheme in the token file."""
    found = re.search(rf'\[data-mantine-color-scheme="{scheme}"\] {{(.*?)}}', TOKENS, re.DOTALL)
    assert found
    return dict(re.findall(r"--lp-([\w-]+): (.*?);", found.group(1)))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tokens_equal_the_theme(scheme: theme.Scheme) -> None:
    css = block(scheme)
    for name, colour in asdict(theme.SCHEMES[scheme]).items():
        assert css[name] == colour
    for place, colour in enumerate(theme.MODEL_COLOURS):
        assert f"--lp-model-{place}: {colour};" in TOKENS
    assert f"--lp-cursor: {theme.CURSOR};" in TOKENS
    assert f"--lp-ring: {theme.RING};" in TOKENS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: theme.Scheme) -> None:
    css = block(scheme)
    for surface in ("background", "surface", "raised", "hover"):
        for text in ("text", "muted"):
            assert contrast(css[text], css[surface]) >= 4.5, (text, surface)
    for text in ("accent", "ok", "warn", "bad"):
        assert contrast(css[text], css["surface"]) >= 4.5, text
    assert contrast(css["on-accent"], css["accent"]) >= 4.5
    assert contrast(css["line-strong"], css["surface"]) >= 3
    for colour in (*theme.MODEL_COLOURS, theme.CURSOR, theme.RING):
        assert contrast(colour, css["surface"]) >= 3, colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_label_is_told_from_every_class_by_lightness(scheme: theme.Scheme) -> None:
    css = block(scheme)  # whoever sees no hue sees this
    assert contrast(css["unknown"], css["surface"]) >= 3
    for colour in theme.MODEL_COLOURS:
        assert contrast(css["unknown"], colour) >= 1.8, colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_templates_are_valid_plotly(scheme: theme.Scheme) -> None:
    import plotly.graph_objects as go
    import plotly.io as pio

    theme.register_templates()
    figure = go.Figure(layout={"template": f"loupe-{scheme}"})
    assert figure.layout.template.layout.font.family == theme.FONT
    assert f"loupe-{scheme}" in pio.templates


def test_the_icon_sheet_is_in_step() -> None:
    assert icons.STYLESHEET.read_text(encoding="utf-8") == icons.stylesheet()
    with pytest.raises(ValueError, match="No icon named 'nope'"):
        icons.icon("nope")


def test_vendored_files_have_their_licences() -> None:
    for folder in (PROJECT / "assets" / "vendor").iterdir():
        assert (folder / "LICENSE").is_file()


def test_the_index_page_has_no_inline_script() -> None:
    text = index.page()
    assert re.findall(r"<script>", text) == []
    assert "http" not in text.replace("application/json", "")


def test_the_shell_has_its_landmarks() -> None:
    tree = shell.layout(Settings.from_env({}))
    ids = [part.id for part in tree._traverse() if getattr(part, "id", None)]
    for name in ("app-nav", "main", "app-selection", "shelf-panel", "jobs-panel", "key-sheet"):
        assert name in ids
    labels = [part for part in tree._traverse() if isinstance(part, html.Button)]
    assert all(getattr(part, "aria-label", None) or part.children for part in labels)


def test_notices(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    shown: list[notices.Notice] = []
    monkeypatch.setattr(
        notices.dash, "set_props", lambda _id, props: shown.extend(props["sendNotifications"])
    )
    notices.on_error(BadRequest("angle='x' is not a number.", "Use 0 to 360."))
    assert shown[0]["message"] == "angle='x' is not a number.\nUse 0 to 360."
    assert caplog.records == []
    notices.on_error(RuntimeError("secret"))
    reference = re.search(r"ref ([0-9a-f]{4})", shown[1]["title"])
    assert reference
    assert "secret" not in str(shown[1])
    assert reference.group(1) in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("device", "threads", "text"),
    [("cpu", "1", "CPU · 1 thread"), ("cpu", "3", "CPU · 3 threads"), ("cuda", "0", "GPU (CUDA)")],
)
def test_the_device_chip(device: str, threads: str, text: str) -> None:
    env = {"LOUPE_DEVICE": device, "LOUPE_TORCH_THREADS": threads}
    assert device_text(Settings.from_env(env)) == text
