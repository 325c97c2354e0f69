"""Following what points from one table to another, and checking what was handed out: seals and clearing files."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.core.calendar import CycleNumber, cycle_number
from engine.core.clearing import LaneEnd, seal_root
from engine.core.commands import Operation
from engine.core.ids import NO_ID
from engine.core.journal import GENESIS
from engine.core.violations import Violation, ViolationKind, Where, name_of
from engine.flows.verify_journal import Counts, Progress
from engine.store.rows import Row
from engine.store.verify_rows import FileRow, RefundSeen, SealedLane, SealRow, SliceChecked
from engine.store.verify_store import VerifyStore

PublicKeys = Mapping[str, bytes]
"""Ed25519 public keys of 32 bytes, by key id."""

_ends: Final = msgspec.msgpack.Decoder(tuple[LaneEnd, ...]).decode
_OPERATIONS: Final = {int(member): member.name.lower() for member in Operation}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class ReferenceCheck:
    """Looks up, slice by slice, what has to be there. A statement sees both sides as they were committed."""

    def __init__(self, store: VerifyStore, counts: Counts, progress: Progress, public_keys: PublicKeys | None) -> None:
        """No signature is checked when *public_keys* is None."""
        self._store = store
        self._counts = counts
        self._progress = progress
        self._public_keys = public_keys

    async def check_strays(self) -> Violation | None:
        """Every posting and event belongs to a batch of its lane and business date; the chains have been followed."""
        for table in ("posting", "event"):
            day = date.min
            while (found := await self._store.next_date(table, day)) is not None:
                day = found
                stray = await self._store.stray(table, day)
                if stray is not None:
                    lane, seq, n = stray
                    where = Where(table=table, lane=lane, seq=seq, n=n)
                    return Violation(ViolationKind.STRAY_ROW, where, f"a batch of {day}", "none")
        return None

    async def check_seals(self) -> Violation | None:
        """Every seal is signed, and the chains are as they were when they were sealed, as far as they were then."""
        cycle = CycleNumber(0)
        while (sealed := await self._store.next_sealed(cycle)) is not None:
            cycle = sealed.cycle
            if sealed.seal is None:
                return Violation(ViolationKind.SEAL_MISSING, Where(table="seal", cycle=cycle), "a seal", "none")
            violation = await self._seal_violation(cycle, sealed.seal)
            if violation is not None:
                return violation
            self._counts.seals += 1
            self._progress("seals", self._counts.seals, self._counts.seals)
        return None

    async def check_answers(self, about: int) -> Violation | None:
        """Every stored answer is there. *about* says how many there are."""
        async for checked in _slices((NO_ID, 0, ""), self._store.check_answers):
            if checked.fault is not None:
                caller, operation, key, lane, seq, n = checked.fault
                name = f"{name_of(caller)} {_OPERATIONS.get(operation, operation)} {key}"
                where = Where(table="answer", lane=lane, seq=seq, n=n, name=name)
                return Violation(ViolationKind.ANSWER_WITHOUT_EVENT, where, "an event", "none")
            self._counts.answers += checked.number
            self._progress("answers", self._counts.answers, about)
        return None

    async def check_orders(self, about: int) -> Violation | None:
        """Every order number is claimed by a payment of that order, or is a tombstone."""
        async for checked in _slices((NO_ID, ""), self._store.check_orders):
            if checked.fault is not None:
                merchant, order_no, payment = checked.fault
                where = Where(table="order_ref", payment=name_of(payment), name=f"{name_of(merchant)} {order_no}")
                return Violation(ViolationKind.ORDER_WRONG, where, "a payment of the order", "none")
            self._counts.orders += checked.number
            self._progress("orders", self._counts.orders, about)
        return None

    async def check_holds(self, about: int) -> Violation | None:
        """Every hold is that of an authorized payment, and due when it lapses."""
        async for checked in _slices((_NEVER, NO_ID), self._store.check_holds):
            if checked.fault is not None:
                due, payment = checked.fault
                where = Where(table="hold", payment=name_of(payment))
                return Violation(ViolationKind.HOLD_WRONG, where, f"an authorization that lapses at {due}", "none")
            self._counts.holds += checked.number
            self._progress("holds", self._counts.holds, about)
        return None

    async def check_refunds(self, about: int) -> Violation | None:
        """Every refund is the sum of its tenders, and of its cycle's date; `payment_audit` has summed the refunds."""
        after = (NO_ID, "")
        while refunds := await self._store.refunds(*after):
            for seen in refunds:
                if not _is_sound(seen):
                    where = Where(table="refund", payment=name_of(seen.payment), name=seen.refund_no)
                    return Violation(ViolationKind.REFUNDS_WRONG, where, "tenders of its amount", "others")
            self._counts.refunds += len(refunds)
            self._progress("refunds", self._counts.refunds, about)
            after = (refunds[-1].payment, refunds[-1].refund_no)
        return None

    async def check_files(self) -> Violation | None:
        """Every clearing file has the bytes that were signed, and names its cycle's seal."""
        name = ""
        while (file := await self._store.next_file(name)) is not None:
            name = file.name
            violation = await self._file_violation(file)
            if violation is not None:
                return violation
            self._counts.files += 1
            self._progress("files", self._counts.files, self._counts.files)
        return None

    async def _seal_violation(self, cycle: CycleNumber, seal: SealRow) -> Violation | None:
        where = Where(table="seal", cycle=cycle)
        ends = _ends_of(seal.lanes)
        if ends is None:
            return Violation(ViolationKind.SEAL_BROKEN, where, "the ends of the lanes", "something else")
        root = seal_root(ends)
        if root != seal.root:
            return Violation(ViolationKind.SEAL_BROKEN, where, f"root {root.hex()}", seal.root.hex())
        if not self._is_signed(seal.root, key_id=seal.key_id, signature=seal.signature):
            return Violation(ViolationKind.SEAL_BROKEN, where, "a signature of a known key", f"one of {seal.key_id}")
        heads = {end.lane: end.head for end in ends}
        for lane in await self._store.sealed_lanes([end.lane for end in ends], [end.seq for end in ends]):
            violation = _sealed_violation(cycle, lane, heads.get(lane.lane, GENESIS))
            if violation is not None:
                return violation
        return None

    async def _file_violation(self, file: FileRow) -> Violation | None:
        where = Where(table="clearing_file", cycle=file.cycle, name=file.name)
        digest = hashlib.sha256()
        size = 0
        async for part in self._store.chunks(file.name):
            digest.update(part)
            size += len(part)
        expected = (file.size, file.sha256.hex(), file.sealed_root and file.sealed_root.hex())
        actual = (size, digest.hexdigest(), file.root.hex())
        if expected != actual:
            form = "{} bytes, SHA-256 {}, root {}"
            return Violation(ViolationKind.FILE_ALTERED, where, form.format(*expected), form.format(*actual))
        if not self._is_signed(file.sha256, key_id=file.key_id, signature=file.signature):
            return Violation(ViolationKind.FILE_ALTERED, where, "a signature of a known key", "none")
        return None

    def _is_signed(self, message: bytes, *, key_id: str, signature: bytes) -> bool:
        if self._public_keys is None:
            return True
        key = self._public_keys.get(key_id)
        if key is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


async def _slices(first: Row, check: Callable[[Row], Awaitable[SliceChecked]]) -> AsyncIterator[SliceChecked]:
    after: Row | None = first
    while after is not None:
        checked = await check(after)
        yield checked
        after = checked.last


def _sealed_violation(cycle: CycleNumber, lane: SealedLane, head: bytes) -> Violation | None:
    where = Where(table="seal", cycle=cycle, lane=lane.lane, seq=lane.seq)
    found = GENESIS if lane.seq == 0 else lane.hash
    if found is None:
        return Violation(ViolationKind.CHAIN_TRUNCATED, where, f"batch {head.hex()}", "none")
    if found != head:
        return Violation(ViolationKind.CHAIN_REWRITTEN, where, head.hex(), found.hex())
    if lane.next_cycle is not None and lane.next_cycle <= cycle:
        behind = f"batch {lane.seq + 1} of cycle {lane.next_cycle}"
        return Violation(ViolationKind.SEAL_INCOMPLETE, where, "later cycles only behind it", behind)
    return None


def _ends_of(vector: bytes) -> tuple[LaneEnd, ...] | None:
    try:
        return _ends(vector)
    except msgspec.DecodeError:
        return None


def _is_sound(seen: RefundSeen) -> bool:
    refund = seen.refund
    return (
        refund is not None
        and refund.amount == sum(tender.amount for tender in refund.tenders)
        and refund.cycle // 100 == cycle_number(refund.business_date, 1) // 100
    )
