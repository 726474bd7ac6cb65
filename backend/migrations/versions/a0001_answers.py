"""The answers of annotators: one row each, only ever added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and its indexes."""
    op.create_table(
        "crayon_answers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("item_set", sa.String(80), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("item_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.String(40), nullable=False),
        sa.Column("source", sa.String(12), nullable=False),
        sa.Column("answer", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("ms", sa.Integer, nullable=False),
        sa.Column("answered_at", sa.Float, nullable=False),
        sa.Column("item_hash", sa.String(64), nullable=False),
        sa.Column("map_hash", sa.String(64), nullable=False),
        sa.Column("undoes", sa.Integer, nullable=True),
        sa.UniqueConstraint("client", "sequence", name="crayon_answers_once"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "crayon_answers_of", "crayon_answers", ["item_set", "model", "kind", "annotator"]
    )
    op.create_index("crayon_answers_undone", "crayon_answers", ["undoes"])


def downgrade() -> None:
    """Answers are never deleted, so there is no way back."""
    raise NotImplementedError
