"""The audit trail's part of the books check: every chain is followed from its first entry to its last."""

import asyncpg

from engine.codes.audit_hash import entry_hash
from engine.core.audit import AUDIT_GENESIS, CHAINS, AuditHead, end_violation, link_violation
from engine.core.violations import Violation, ViolationKind, Where
from engine.flows.verify_journal import Counts, Progress
from engine.store.audit import count_audit_strays, load_audit_heads, load_audit_stretch


class AuditCheck:
    """Follows the chains of the audit trail. Entries go on being added meanwhile: each chain is followed to its end as
    it was when the check began, and no more than a slice of it is in memory.
    """

    def __init__(self, connection: asyncpg.Connection, counts: Counts, progress: Progress, *, slice_rows: int) -> None:
        """Nothing has been followed yet."""
        self._connection = connection
        self._counts = counts
        self._progress = progress
        self._slice_rows = slice_rows

    async def check_chains(self) -> Violation | None:
        """The first thing that is wrong with a chain."""
        heads = await load_audit_heads(self._connection)
        gone = set(range(CHAINS)) - {head.chain for head, _ in heads}
        if gone:
            where = Where(table="audit_chain", chain=min(gone))
            return Violation(ViolationKind.AUDIT_TRUNCATED, where, f"{CHAINS} chains", f"{CHAINS - len(gone)} chains")
        total = sum(head.n for head, _ in heads)
        for head, last_n in heads:
            violation = await self._follow(head, last_n, total)
            if violation is not None:
                return violation
        strays = await count_audit_strays(self._connection)
        if strays:
            where = Where(table="audit_entry")
            return Violation(ViolationKind.STRAY_ROW, where, "no entry outside the chains", f"{strays} entries")
        return None

    async def _follow(self, head: AuditHead, last_n: int, total: int) -> Violation | None:
        if last_n != head.n:
            return end_violation(AuditHead(head.chain, last_n, b""), head)
        link = AuditHead(head.chain, 0, AUDIT_GENESIS)
        while stretch := await load_audit_stretch(self._connection, link, last=head.n, count=self._slice_rows):
            for entry in stretch:
                violation = link_violation(link, entry, entry_hash(entry))
                if violation is not None:
                    return violation
                link = AuditHead(entry.chain, entry.n, entry.hash)
            self._counts.accesses += len(stretch)
            self._progress("audit trail", self._counts.accesses, total)
        return end_violation(link, head)
