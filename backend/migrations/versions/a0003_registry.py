"""Registered models and data sets: where the user's files lie and what they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "a0003"
down_revision = "a0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes both tables."""
    for table, told in (("registered_models", "validation"), ("registered_sets", "summary")):
        op.create_table(
            table,
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("spec", sa.Text, nullable=False),
            sa.Column("fingerprint", sa.String(64), nullable=False),
            sa.Column(told, sa.Text, nullable=False),
            sa.Column("added_at", sa.Float, nullable=False),
        )


def downgrade() -> None:
    """What a user has registered is never deleted, so there is no way back."""
    raise NotImplementedError
