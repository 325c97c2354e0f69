"""Files of returns: every line is checked before any is posted, and each item is given back once."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from engine.core.bank_lines import ReturnLine, UploadHeading, UploadRecord, UploadTrailer
from engine.core.ids import PREFIXES, BankId, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.core.returns import Claim, ClaimFault, Item, match_claims, stand_in_of
from engine.flows.post_returns import LOCK_WAIT_S, ReturnsDesk
from engine.flows.receive_upload import Receiver, Rejected, UploadFault
from engine.formats.file_names import names_meant
from engine.formats.uploads import FAULTS_MAX
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.returns import BatchRow, ReturnRow, ReturnsSession, insert_batch, open_returns, return_row
from engine.store.uploads import AcceptedUpload

LINES_MAX: Final = 100_000
"""Of one file: it is accepted in one short transaction. A bank with more sends several."""

PAYMENTS_AT_ONCE: Final = 1_000


class NamedItems(msgspec.Struct, frozen=True):
    """Items that a bank gives back, as they are kept, or what is wrong with what it says."""

    rows: tuple[ReturnRow, ...]
    faults: tuple[ClaimFault, ...]


class ReturnUploads:
    """Handles the uploads that are returns."""

    def __init__(self, desk: ReturnsDesk) -> None:
        """What is accepted is posted by *desk*."""
        self._desk = desk

    @asynccontextmanager
    async def receive(
        self,
        bank: BankId,
        heading: UploadHeading,  # noqa: ARG002  the protocol's own
    ) -> AsyncIterator[Receiver]:
        """A receiver of one file; it waits while another one of the bank's is taken."""
        async with open_returns(self._desk.database_url, bank) as session:
            await session.lock(wait_s=LOCK_WAIT_S)
            yield _Returns(self._desk, session)

    async def complete(self, upload: AcceptedUpload) -> None:
        """Everything of the file is posted, if it was cut short."""
        await self._desk.complete(upload.id, upload.bank)


class _Returns:
    """One file of returns while it is received."""

    def __init__(self, desk: ReturnsDesk, session: ReturnsSession) -> None:
        self._desk = desk
        self._session = session
        self._claims: list[Claim] = []
        self._rows: tuple[ReturnRow, ...] = ()

    async def stage(self, records: Sequence[UploadRecord]) -> None:
        """Keep the next lines in mind."""
        room = LINES_MAX + 1 - len(self._claims)
        self._claims += [_claim_of(record) for record in records if isinstance(record, ReturnLine)][:room]

    async def judge(self, trailer: UploadTrailer) -> Rejected | None:  # noqa: ARG002  the protocol's own
        """What is wrong with any line."""
        if len(self._claims) > LINES_MAX:
            fault = UploadFault(f"/lines/{self._claims[-1].line}/record", f"more than {LINES_MAX} lines")
            return Rejected(Refusal.FILE_MALFORMED, (fault,))
        named = await name_items(self._session, self._claims)
        if named.faults:
            return Rejected(
                Refusal.FILE_MALFORMED,
                tuple(
                    UploadFault(f"/lines/{fault.line}/{fault.field}", fault.reason)
                    for fault in named.faults[:FAULTS_MAX]
                ),
            )
        self._rows = named.rows
        return None

    async def accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        """It will be posted."""
        batch = BatchRow(id=upload.id, bank=upload.bank, rejected_file=None, accepted_at=upload.accepted_at)
        with translated():
            await insert_batch(connection, batch, [msgspec.structs.replace(row, batch=batch.id) for row in self._rows])

    async def finish(self, upload: AcceptedUpload) -> None:
        """Post it."""
        await self._desk.post(self._session, upload.id)


async def name_items(session: ReturnsSession, claims: Sequence[Claim], *, may_be_returned: bool = False) -> NamedItems:
    """The items that a bank's claims are about. *session* has the bank's lock, so none is given back meanwhile.

    A claim of what was given back before is a fault, unless it *may_be_returned*.

    Raises:
        Fault: the database cannot answer.
    """
    items: dict[str, list[Item]] = {}
    files: dict[tuple[str, str], str | None] = {}
    for texts in _pages(sorted({claim.payment_id for claim in claims})):
        about = {identifier: text for text in texts if (identifier := _id_in(text)) is not None}
        for identifier, found in (await session.items(list(about))).items():
            items[about[identifier]] = [
                msgspec.structs.replace(item, is_returned=item.is_returned and not may_be_returned) for item, _ in found
            ]
            files |= {(item.item, item.direction): file for item, file in found}
    meant = {claim.file_name: names_meant(claim.file_name) for claim in claims if claim.file_name}
    covered = await session.files(sorted({name for names in meant.values() for name in names}))
    named = {text: covered[name] for text, names in meant.items() for name in names if name in covered}
    returned, faults = match_claims(claims, items, named)
    rows = tuple(
        return_row(
            one,
            batch=b"",
            n=n,
            bank=session.bank,
            stand_in=stand_in_of(one.item, session.bank),
            file=files[one.item.item, one.item.direction],
            seq=None,
        )
        for n, one in enumerate(returned, 1)
    )
    return NamedItems(rows, tuple(faults))


def _claim_of(line: ReturnLine) -> Claim:
    return Claim(
        line=line.line_number,
        payment_id=line.payment_id,
        item_id=line.item_id,
        direction=line.direction,
        leg=line.leg,
        amount=line.amount,
        file_name=line.file_name,
        reason=line.reason,
        return_ref=line.return_ref,
    )


def _id_in(text: str) -> bytes | None:
    """The id that a bank wrote: of a payment, or of whatever else a line can be about."""
    for kind, prefix in PREFIXES.items():
        if text.startswith(prefix):
            with suppress(MalformedId):
                return parse_id(text, kind)
    return None


def _pages(texts: Sequence[str]) -> Iterable[Sequence[str]]:
    return (texts[at : at + PAYMENTS_AT_ONCE] for at in range(0, len(texts), PAYMENTS_AT_ONCE))
