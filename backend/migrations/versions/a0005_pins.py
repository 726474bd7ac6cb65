"""The pinboard: plots that somebody kept, each with a sentence, a link and a picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a0005"
down_revision = "a0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "pins",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("place", sa.Float, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("honesty", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("picture", sa.LargeBinary, nullable=False),
        sa.Column("pinned_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Takes the table away; its pins are in a board that was exported before."""
    op.drop_table("pins")
