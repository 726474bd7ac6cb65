"""Settings: cast, checked, documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backend.errors import BadRequest
from backend.settings import PROJECT, TABLE, Settings

DOC = PROJECT / "docs" / "settings.md"
ROW = re.compile(r"^\| `(\w+)` \| (?:`([^`]*)`)? ?\| (.*) \|$", re.MULTILINE)


def test_the_documentation_repeats_the_table() -> None:
    documented = [
        (env, default, text) for env, default, text in ROW.findall(DOC.read_text("utf-8"))
    ]
    assert documented == [(row.env, row.default, row.help) for row in TABLE.values()]


def test_defaults_are_usable() -> None:
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.threads) == ("127.0.0.1", 8050, 8)
    assert settings.cache_bytes == 2_048_000_000
    assert settings.database_url == f"sqlite:///{settings.state_dir}/loupe.db"


def test_empty_means_default() -> None:
    assert Settings.from_env({"PORT": "  ", "LOUPE_CACHE_MB": ""}) == Settings.from_env({})


def test_state_folder_is_absolute(tmp_path: Path) -> None:
    assert Settings.from_env({"LOUPE_STATE_DIR": "x"}).state_dir == PROJECT / "x"
    assert Settings.from_env({"LOUPE_STATE_DIR": str(tmp_path)}).state_dir == tmp_path


@pytest.mark.parametrize(
    ("env", "value", "allowed"),
    [
        ("PORT", "0", "1 to 65535"),
        ("PORT", "http", "1 to 65535"),
        ("PORT", "8050.5", "1 to 65535"),
        ("HOST", "0.0.0.0", "no login is set up"),
        ("LOUPE_THREADS", "1", "2 to 64"),
        ("LOUPE_DEVICE", "gpu", "auto, cpu, cuda, mps"),
        ("LOUPE_TORCH_THREADS", "-1", "0 to 1024"),
        ("LOUPE_CACHE_MB", "nan", "16 to"),
        ("LOUPE_MEMORY_CACHE_MB", "1e3", "1 to"),
        ("LOUPE_MAX_REQUEST_MB", "0", "1 to 1024"),
        ("LOUPE_LOG", "LOUD", "DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_unusable_values_name_variable_value_and_range(env: str, value: str, allowed: str) -> None:
    with pytest.raises(BadRequest) as told:
        Settings.from_env({env: value})
    assert told.value.message.startswith(f"{env}=")
    assert repr(value) in told.value.message
    assert allowed in told.value.message
    assert told.value.hint


def test_every_setting_is_a_field() -> None:
    fields = set(Settings.__dataclass_fields__)
    renamed = {name.replace("_mb", "_bytes") for name in TABLE}
    assert renamed == fields
