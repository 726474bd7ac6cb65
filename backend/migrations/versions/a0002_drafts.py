"""The drafts of contents with all their versions, only ever added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a0002"
down_revision = "a0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and its index."""
    op.create_table(
        "insights_drafts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("draft", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("item_set", sa.String(80), nullable=False),
        sa.Column("content", sa.String(200), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("predicted", sa.Float, nullable=True),
        sa.Column("saved_at", sa.Float, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("draft", "version", name="insights_drafts_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("insights_drafts_of", "insights_drafts", ["item_set"])


def downgrade() -> None:
    """Drafts are never deleted, so there is no way back."""
    raise NotImplementedError
