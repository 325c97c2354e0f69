"""Publishing a closed cycle: net positions, the banks' files, and the instant in which all of them become visible."""

from collections.abc import Iterable

from engine.codes.keys import SigningKey
from engine.core.accounts import AccountId
from engine.core.calendar import CycleNumber
from engine.core.clearing import (
    AccountNotRouted,
    Movement,
    NetPosition,
    bank_of,
    has_own_bank,
    net_positions,
    route_account,
)
from engine.core.deliveries import delivered_from
from engine.core.ids import BankId
from engine.flows.build_files import build_files
from engine.flows.close_cycle import LOCK_WAIT_S, seal_cycle
from engine.flows.cycle_files import NoSettlementBank
from engine.store.clearing_session import ClearingSession
from engine.store.clearing_store import (
    Turnover,
    insert_net,
    load_banks,
    load_deliveries,
    load_following,
    load_payee_routes,
    load_standing_routes,
    load_turnover,
    publish_files,
)
from engine.store.faults import Fault


class BankMissing(Fault):
    """The merchant or the fund that this names has no bank that takes part: its cycle cannot be cleared yet."""


async def publish_cycle(
    session: ClearingSession, *, cycle: CycleNumber, signing_key: SigningKey, lock_wait_s: float = LOCK_WAIT_S
) -> tuple[CycleNumber, ...]:
    """Publish every closed cycle up to *cycle*, oldest first, and return those that were not published before.

    Each step is kept when it is done, so after a crash the same call goes on where the last one stopped and makes the
    same bytes. Publishing again changes nothing.

    Locks: the closers' advisory lock until *session* ends; no row that a payment needs.

    Raises:
        ClearingBusy: another closer is at work.
        BankMissing: a merchant or a fund has no bank; nothing of its cycle is published.
        TotalsDiffer: a file does not add up to its bank's position.
        NoSettlementBank: nobody could settle the net positions.
        Fault: the database cannot do it; the same call goes on where this one stopped.
    """
    await session.lock(wait_s=lock_wait_s)
    due = tuple(closed for closed in (await session.load_state()).unpublished if closed <= cycle)
    for closed in due:
        await seal_cycle(session, cycle=closed, signing_key=signing_key)
        await net_cycle(session, cycle=closed)
        await build_files(session, cycle=closed, signing_key=signing_key)
        await publish_files(session, cycle=closed, published_at=(await session.load_state()).now)
    return due


async def net_cycle(session: ClearingSession, *, cycle: CycleNumber) -> None:
    """Work out and keep what a sealed cycle takes from each bank and gives to it, the routes that this rests on, and
    which banks get files at its end.

    Raises:
        BankMissing: a merchant or a fund has no bank.
        NoSettlementBank: nobody could settle what is worked out.
        Fault: the database cannot do it.
    """
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle is netted"
    assert run.sealed_at is not None, "only a sealed cycle is netted"
    if run.netted_at is not None:
        return
    banks = await load_banks(session)
    settlement_bank = next((bank.id for bank in banks if bank.is_settlement_bank), None)
    if settlement_bank is None:
        raise NoSettlementBank("no bank is the settlement bank: net positions cannot be settled")
    try:
        positions, routes = await _net(session, cycle, [bank.id for bank in banks])
    except AccountNotRouted as error:
        raise BankMissing(str(error)) from error
    following = await load_following(session, cycle)
    await insert_net(
        session,
        cycle=cycle,
        netted_at=(await session.load_state()).now,
        positions=positions,
        routes=routes,
        settlement_bank=settlement_bank,
        delivers_from={
            wanted.bank: delivered_from(
                wanted.places, cycle=cycle, following=following, waiting_since=wanted.waiting_since
            )
            for wanted in await load_deliveries(session, cycle)
        },
    )


async def _net(
    session: ClearingSession, cycle: CycleNumber, banks: Iterable[BankId]
) -> tuple[tuple[NetPosition, ...], dict[AccountId, BankId]]:
    standing = await load_standing_routes(session)
    routes: dict[AccountId, BankId] = {}
    movements: dict[tuple[BankId, BankId], Movement] = {}
    async for turnover in load_turnover(session, cycle):
        new = _accounts_of(turnover) - routes.keys()
        routes |= {account: standing[account] for account in new & standing.keys()}
        routes |= await load_payee_routes(session, new - standing.keys())
        _add(movements, turnover, routes)
    return net_positions(movements.values(), banks), routes


def _accounts_of(turnover: Iterable[Turnover]) -> set[AccountId]:
    """The accounts whose bank has to be looked up."""
    accounts = {account for moved in turnover for account in (moved.debit, moved.credit)}
    return {route_account(account) for account in accounts if not has_own_bank(account)}


def _add(
    movements: dict[tuple[BankId, BankId], Movement],
    turnover: Iterable[Turnover],
    routes: dict[AccountId, BankId],
) -> None:
    """Fold accounts into their banks, so that memory does not grow with merchants times funds."""
    for moved in turnover:
        pair = bank_of(moved.debit, routes), bank_of(moved.credit, routes)
        before = movements.get(pair, Movement(*pair, 0, 0))
        movements[pair] = Movement(*pair, before.count + moved.count, before.amount + moved.amount)
