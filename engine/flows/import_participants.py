"""Many participants from one file: checked whole before approval is asked for, brought in at once when it is given."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.codes.public_keys import MalformedKey, read_public_key
from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind, id_text, parse_id
from engine.core.participants import ID_KINDS, ITEMS, Operator, Right, WrongField
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval, asking
from engine.flows.clock import IdSource
from engine.formats.bank_file import MalformedRecord
from engine.formats.participants_csv import ParticipantLine, TerminalsLine, read
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participant_imports import (
    ImportCounts,
    LineFault,
    StagedLine,
    begin_file,
    compare_file,
    count_file,
    drop_file,
    import_file,
    load_unwanted_files,
    set_approval_of_file,
    stage_lines,
)
from engine.store.participants import load_clocks

FAULTS_MAX: Final = 100
LINES_AT_ONCE: Final = 1_000
CHECKING_LASTS: Final = timedelta(days=1)


class ImportWish(msgspec.Struct, frozen=True, kw_only=True):
    """A staged file that waits for a second operator, who compares its digest with that of the file that he knows."""

    file: str
    sha256: str
    lines: dict[str, int]
    unchanged: int


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: all its faults up to a maximum, or what it adds up to and the approval that it waits for.

    There is no approval if everything in the file is registered already.
    """

    sha256: str
    faults: tuple[LineFault, ...] = ()
    counts: ImportCounts | None = None
    approval: Approval | None = None


async def ask_import(
    pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, operator: bytes, chunks: Iterable[bytes], *, reason: str
) -> Imported | NotDone:
    """Check a file whole, and ask for its participants to be brought in. Nothing of it takes part yet.

    The same file again asks for what is not registered by then, and for nothing if all of it is.

    Raises:
        Fault: the database cannot do it; the same file may be given again.
    """
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            asked = await asking(connection, operator, ids)
    if isinstance(asked, NotDone):
        return asked
    refused = asked.why_not(Right.REQUEST, asked.operator.region)
    if refused is not None:
        return refused
    file = ids.new(IdKind.EVENT, shard=0, region=asked.operator.region)
    await begin_file(pool, file, now=asked.now)
    staging = _Staging(keyring, ids, asked.operator)
    for lines in staging.pages(chunks):
        await stage_lines(pool, file, lines)
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            imported = await _judge(connection, file, staging, operator, ids, reason=reason)
    if isinstance(imported, NotDone) or imported.approval is None:
        await drop_file(pool, file)
    return imported


async def bring_in(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of IMPORT_PARTICIPANTS: all of the file or nothing, judged again beside what is registered by now."""
    wish = msgspec.json.decode(approval.payload, type=ImportWish)
    file = parse_id(wish.file, IdKind.EVENT)
    faults = await compare_file(connection, file, faults_max=FAULTS_MAX)
    if faults:
        fields = tuple(WrongField(f"lines/{fault.line}/{fault.field}", fault.reason) for fault in faults)
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, fields)
    counts = await count_file(connection, file)
    clocks = await load_clocks(connection)
    await import_file(connection, file, now=clocks.business, wall=clocks.wall, operator=approval.requested_by)
    return CarriedOut({"lines": counts.fresh, "unchanged": counts.unchanged})


async def drop_unwanted_files(pool: asyncpg.Pool) -> int:
    """Forget files that nobody will bring in any more. Returns how many.

    Raises:
        Fault: the database cannot do it now.
    """
    files = await load_unwanted_files(pool, started_before=(await load_clocks(pool)).business - CHECKING_LASTS)
    for file in files:
        await drop_file(pool, file)
    return len(files)


class _Staging:
    """A file as it is read: pages of lines that are right by themselves, its faults, its digest."""

    def __init__(self, keyring: Keyring, ids: IdSource, operator: Operator) -> None:
        self._keyring = keyring
        self._ids = ids
        self._operator = operator
        self._digest = hashlib.sha256()
        self.faults: list[LineFault] = []

    @property
    def sha256(self) -> str:
        """Of everything that was read."""
        return self._digest.hexdigest()

    def pages(self, chunks: Iterable[bytes]) -> Iterator[list[StagedLine]]:
        """The lines that are right, many at a time. After enough faults reading stops."""
        page: list[StagedLine] = []
        for record in read(self._digested(chunks)):
            line = self._staged(record)
            if isinstance(line, LineFault):
                self.faults.append(line)
                if len(self.faults) >= FAULTS_MAX:
                    break
                continue
            page.append(line)
            if len(page) == LINES_AT_ONCE:
                yield page
                page = []
        if page:
            yield page

    def _digested(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._digest.update(chunk)
            yield chunk

    def _staged(self, record: ParticipantLine | TerminalsLine | MalformedRecord) -> StagedLine | LineFault:
        if isinstance(record, MalformedRecord):
            return LineFault(record.line_number, record.field, record.reason)
        if isinstance(record, TerminalsLine):
            return self._terminals(record)
        given, number = record.registration, record.line_number
        if not self._operator.may(Right.REQUEST, given.region):
            return LineFault(number, "region", "outside the operator's region")
        identifier = self._ids.new(ID_KINDS[given.kind], shard=0, region=given.region)
        keyid = alg = secret = None
        if given.public_key:
            try:
                key = read_public_key(given.public_key)
            except MalformedKey as error:
                return LineFault(number, "public_key", str(error))
            keyid, alg = f"{id_text(identifier)}.1", key.algorithm.value
            secret = self._keyring.seal(key.pem.encode(), place=CALLER_KEY_PLACE, nonce=self._ids.nonce())
        return StagedLine(
            line=number,
            kind=given.kind.value,
            code=given.code,
            name_zh=given.name_zh,
            name_en=given.name_en,
            region=given.region,
            bank=int(given.bank or given.code),
            scenarios=tuple(BY_NAME[name].number for name in given.scenarios),
            terminals=given.terminals,
            item=ITEMS[given.item] if given.item else None,
            participant=identifier,
            keyid=keyid,
            alg=alg,
            secret=secret,
            level=given.level if record.says_level else None,
        )

    def _terminals(self, record: TerminalsLine) -> StagedLine | LineFault:
        region = int(record.merchant_code[1:7])
        if not self._operator.may(Right.REQUEST, region):
            return LineFault(record.line_number, "code", "outside the operator's region")
        return StagedLine(
            line=record.line_number,
            kind="terminal",
            code=record.merchant_code,
            name_zh="",
            name_en="",
            region=region,
            bank=None,
            scenarios=(),
            terminals=record.terminals,
            item=None,
            participant=None,
            keyid=None,
            alg=None,
            secret=None,
            level=None,
        )


async def _judge(
    connection: AnyConnection, file: bytes, staging: _Staging, operator: bytes, ids: IdSource, *, reason: str
) -> Imported | NotDone:
    asked: Asking | NotDone = await asking(connection, operator, ids)
    if isinstance(asked, NotDone):
        return asked
    left = FAULTS_MAX - len(staging.faults)
    beside = await compare_file(connection, file, faults_max=left) if left else []
    faults = sorted((*staging.faults, *beside), key=lambda fault: (fault.line, fault.field))
    if faults:
        return Imported(sha256=staging.sha256, faults=tuple(faults))
    counts = await count_file(connection, file)
    if not counts.fresh:
        return Imported(sha256=staging.sha256, counts=counts)
    wish = ImportWish(file=id_text(file), sha256=staging.sha256, lines=counts.fresh, unchanged=counts.unchanged)
    approval = await ask_approval(
        asked,
        kind=ApprovalKind.IMPORT_PARTICIPANTS,
        region=asked.operator.region,  # anywhere in it: whoever approves it answers for all of that
        subject=f"file:{staging.sha256}",
        payload=wish,
        reason=reason,
    )
    if isinstance(approval, NotDone):
        return approval
    await set_approval_of_file(connection, file, approval.id)
    return Imported(sha256=staging.sha256, counts=counts, approval=approval)
