"""What was changed, when and by whom. No contents, no passwords, no addresses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, delete, insert, select

from backend.database import answering
from backend.team.tables import AUDIT

KEEP: Final = 100_000  # rows
SWEEP_EVERY: Final = 1000
UNREAD, UNWRITTEN = "The log of changes cannot be read", "The log of changes cannot be written"


@dataclass(frozen=True, slots=True)
class Audit:
    """The log of changes; the oldest rows go beyond :data:`KEEP`. May raise ``StorageFull``."""

    engine: Engine

    def add(self, who: str, action: str, target: str = "") -> None:
        """One row; texts are cut to the columns' lengths."""
        row = {"at": time.time(), "who": who[:64], "action": action[:80], "target": target[:200]}
        with answering(UNWRITTEN), self.engine.begin() as connection:
            made = connection.execute(insert(AUDIT).values(row)).inserted_primary_key
            number = int(made[0]) if made else 0
            if number % SWEEP_EVERY == 0:
                connection.execute(delete(AUDIT).where(AUDIT.c.id <= number - KEEP))

    def newest(self, count: int = 200) -> list[dict[str, Any]]:
        """The newest rows first: at, who, action, target."""
        columns = (AUDIT.c.at, AUDIT.c.who, AUDIT.c.action, AUDIT.c.target)
        query = select(*columns).order_by(AUDIT.c.id.desc()).limit(count)
        with answering(UNREAD), self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [{str(name): value for name, value in row.items()} for row in rows]
