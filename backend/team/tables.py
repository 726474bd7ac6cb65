"""The tables of a team. They change by written steps only (``backend/migrations``)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, MetaData, String, Table, Text

META: Final = MetaData()
USERS: Final = Table(
    "team_users",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("label", String(40), nullable=False, unique=True),  # what answers are signed with
    Column("role", String(12), nullable=False),
    Column("password", String(200), nullable=False),  # argon2id; empty: no login by password
    Column("item_sets", Text, nullable=False),  # what an annotator may see; empty: every set
    Column("is_disabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)
SESSIONS: Final = Table(
    "team_sessions",
    META,
    Column("token", String(64), primary_key=True),  # sha256 of what the cookie holds
    Column("user_id", Integer, ForeignKey("team_users.id"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
)
INVITES: Final = Table(
    "team_invites",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("token", String(64), nullable=False, unique=True),  # sha256 of what the link holds
    Column("user_id", Integer, ForeignKey("team_users.id"), nullable=False),
    Column("query", Text, nullable=False),  # the view that the link opens
    Column("expires_at", Float, nullable=False),
    Column("is_revoked", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)
AUDIT: Final = Table(
    "team_audit",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(80), nullable=False),
    Column("target", String(200), nullable=False),
)
