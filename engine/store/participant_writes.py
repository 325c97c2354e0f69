"""What changes who takes part. Every function takes a connection that is in a transaction, and rows that are locked."""

from datetime import datetime

from engine.codes.keys import FIELD_KEY_ID
from engine.core.ids import BankId
from engine.core.participants import ITEMS, ROLES, Participant, ParticipantKind, Registration
from engine.core.scenarios import BY_NAME
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.rows import Row
from engine.store.sql import load_queries


async def insert_registration(
    connection: AnyConnection, identifier: bytes, registration: Registration, *, bank: BankId | None, now: datetime
) -> bool:
    """Let a new participant take part, with its terminals; False if its code is taken."""
    queries = load_queries("participants")
    with translated():
        statement, row = _own_row(identifier, registration, bank)
        if await connection.fetchval(queries[statement], *row) is None:
            return False
        await connection.execute(queries["insert_participant"], identifier, now)
        if registration.terminals:
            await connection.execute(queries["insert_terminals"], identifier, list(registration.terminals))
    return True


def _own_row(identifier: bytes, given: Registration, bank: BankId | None) -> tuple[str, Row]:
    """The statement that writes a participant's own row, and the row."""
    code, names = given.code, (given.name_zh, given.name_en)
    match given.kind:
        case ParticipantKind.BANK:
            return "insert_bank", (identifier, int(code), *names, given.is_settlement_bank, _places(given))
        case ParticipantKind.MERCHANT:
            numbers = [BY_NAME[name].number for name in given.scenarios]
            return "insert_merchant", (identifier, code, given.region, bank, numbers, given.level, *names)
        case ParticipantKind.AGENCY:
            return "insert_agency", (identifier, code, given.region, ITEMS[given.item], bank, *names)
        case ParticipantKind.OPERATOR:
            return "insert_operator", (identifier, code, ROLES[given.role], given.region, *names)


def _places(given: Registration) -> list[int] | None:
    """As a bank's row has them: nothing said is every cycle."""
    return list(given.delivery) or None


async def update_participant(
    connection: AnyConnection, participant: Participant, wanted: Registration, *, bank: BankId | None, now: datetime
) -> None:
    """Make a participant what *wanted* says; its code and region stay."""
    queries = load_queries("participants")
    identifier, names = participant.id, (wanted.name_zh, wanted.name_en)
    with translated():
        match participant.kind:
            case ParticipantKind.BANK:
                await connection.execute(queries["update_bank"], identifier, *names, _places(wanted))
            case ParticipantKind.MERCHANT:
                numbers = [BY_NAME[name].number for name in wanted.scenarios]
                await connection.execute(queries["update_merchant"], identifier, bank, numbers, wanted.level, *names)
            case ParticipantKind.AGENCY:
                await connection.execute(queries["update_agency"], identifier, bank, ITEMS[wanted.item], *names)
            case ParticipantKind.OPERATOR:
                await connection.execute(queries["update_operator"], identifier, ROLES[wanted.role], *names)
        await connection.execute(queries["touch_participant"], identifier, now)


async def set_suspension(
    connection: AnyConnection, participant: Participant, *, is_suspended: bool, reason: str | None, now: datetime
) -> None:
    """Suspend or reinstate: a merchant's payments, everybody else's requests.

    A suspended merchant can still refund, cancel and look at what it was paid; nobody else has anything like that.
    """
    queries = load_queries("participants")
    with translated():
        await connection.execute(queries["set_suspension"], participant.id, is_suspended, reason, now)
        if participant.kind is ParticipantKind.MERCHANT:
            await connection.execute(queries["set_merchant_suspension"], participant.id, is_suspended)
        else:
            await connection.execute(queries["set_key_suspension"], participant.id, is_suspended)


async def insert_key(
    connection: AnyConnection,
    caller: bytes,
    *,
    keyid: str,
    alg: str,
    sealed: bytes,
    is_suspended: bool,
    now: datetime,
    operator: bytes | None,
) -> None:
    """Give a participant one more key. *sealed* is what requests are verified with."""
    queries = load_queries("participants")
    with translated():
        await connection.execute(queries["insert_key"], keyid, caller, alg, sealed, FIELD_KEY_ID, is_suspended)
        await connection.execute(queries["record_key"], keyid, caller, alg, now, operator)


async def retire_other_keys(connection: AnyConnection, caller: bytes, *, keyid: str, retires_at: datetime) -> None:
    """Let all keys of a participant but *keyid* end by themselves."""
    with translated():
        await connection.execute(load_queries("participants")["retire_keys"], caller, keyid, retires_at)


async def revoke_key(
    connection: AnyConnection, caller: bytes, *, keyid: str, now: datetime, operator: bytes, reason: str
) -> bool:
    """Take a key away; False if the participant has none of that name."""
    queries = load_queries("participants")
    with translated():
        alg = await connection.fetchval(queries["delete_key"], caller, keyid)
        if alg is None:
            return False
        await connection.execute(queries["record_revocation"], keyid, caller, alg, now, operator, reason)
    return True


async def end_retired_keys(connection: AnyConnection, *, now: datetime) -> int:
    """Take away the keys whose overlap with their successor is over. Returns how many."""
    with translated():
        ended: int = await connection.fetchval(load_queries("participants")["end_retired_keys"], now)
    return ended


async def add_terminals(connection: AnyConnection, merchant: bytes, terminals: tuple[str, ...]) -> None:
    """Register terminals of a merchant; those it has stay."""
    with translated():
        await connection.execute(load_queries("participants")["insert_terminals"], merchant, list(terminals))


async def remove_terminals(connection: AnyConnection, merchant: bytes, terminals: tuple[str, ...]) -> None:
    """Take terminals from a merchant; those it does not have are none of its anyway."""
    with translated():
        await connection.execute(load_queries("participants")["delete_terminals"], merchant, list(terminals))


async def assign_fund(connection: AnyConnection, *, region: int, pay_type: int, bank: BankId) -> None:
    """Let *bank* hold a pooling area's money of one pay type from the next netting on."""
    with translated():
        await connection.execute(load_queries("participants")["assign_fund"], region, pay_type, bank)
