"""The SQL of the ports' reads, once for all backends: a query object in, text and parameters out.

Tables have one-letter names in every statement: `s` sessions, `r` runs, `e` events, `c` counters, `a` artifacts.
"""

from asm_core.sql.queries.artifacts import ArtifactQueries
from asm_core.sql.queries.maintenance.retention import RetentionQueries
from asm_core.sql.queries.maintenance.stretches import StretchQueries
from asm_core.sql.queries.reads import ReadQueries
from asm_core.sql.queries.totals import TotalQueries
from asm_core.sql.queries.where import Statement, Where

__all__ = [
    "ArtifactQueries",
    "ReadQueries",
    "RetentionQueries",
    "Statement",
    "StretchQueries",
    "TotalQueries",
    "Where",
]
