"""The record of measured speed keeps the parts that were not measured again."""

from __future__ import annotations

from benchmarks.__main__ import MODULES, RECORD, recorded
from benchmarks.table import Row, rendered


def test_only_the_measured_part_is_new():
    before = RECORD.read_text(encoding="utf-8")
    row = Row("a row", "1 ms", "2 ms", 2.0, "≥ 1×", "", True)
    after = recorded({"zoom": [row]}, before)
    assert rendered([row]) in after
    assert after.count("\n## ") == before.count("\n## ")
    kept = before.partition("## nero\n")[2].partition("\n## ")[0]
    assert kept in after
    assert after.index("## nero\n") < after.index("## zoom\n")
    assert recorded({}, after) == after


def test_every_part_of_the_record_is_a_module():
    parts = [line[3:] for line in RECORD.read_text("utf-8").splitlines() if line.startswith("## ")]
    assert parts == [name for name in MODULES if name in parts]
