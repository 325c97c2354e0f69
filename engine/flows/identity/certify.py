"""Showing that benefits are still due, and holding what is paid to whoever is late with it."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import asyncpg
import msgspec

from engine.core.certification import HELD, Method, certify, first_standing, state_on
from engine.core.disbursement import Payout
from engine.core.ids import AgencyId, CardId, DisbursementLineId, IdKind, region_of, shard_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.certifications import (
    Beneficiary,
    Certification,
    hold_beneficiaries,
    insert_beneficiary,
    keep_certification,
    load_beneficiary,
    load_standings,
    set_standing,
)
from engine.store.connection import AnyConnection
from engine.store.reads import Reads


class BenefitWish(msgspec.Struct, frozen=True, kw_only=True):
    """A benefit that an agency pays, and of which it has to be shown that it is due."""

    agency: AgencyId
    card: CardId
    benefit_code: str
    region: int
    cycle_months: int
    last_certified_on: date | None
    due_on: date | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What has been shown about a card's benefits. `benefit_code` None: all of them."""

    card: CardId
    benefit_code: str | None
    method: Method
    is_pending: bool  # nobody could say whether it is so
    on: date
    by: bytes
    evidence: str


async def register_benefit(
    connection: AnyConnection, ids: IdSource, wish: BenefitWish, *, today: date, now: datetime
) -> Beneficiary | NotDone:
    """Register a benefit, which from now on is only paid while it is shown to be due."""
    standing = first_standing(
        cycle_months=wish.cycle_months, last_certified_on=wish.last_certified_on, due_on=wish.due_on, today=today
    )
    new = Beneficiary(
        id=ids.new(IdKind.CERTIFICATION, shard=shard_of(wish.card), region=region_of(wish.card)),
        card=wish.card,
        benefit_code=wish.benefit_code,
        agency=wish.agency,
        region=wish.region,
        standing=standing,
        is_pending=False,
        registered_at=now,
    )
    return new if await insert_beneficiary(connection, new) else NotDone(Refusal.BENEFIT_REGISTERED)


async def take_shown(
    connection: AnyConnection, shown: Shown, *, agency: AgencyId | None = None, today: date, now: datetime
) -> list[Beneficiary] | NotDone:
    """Certify a card's benefits, an agency's own if it asks; what nobody could say is written down and changes nothing.

    Locks: the benefits' rows, so that certifications follow each other and the latest day counts.
    """
    held = [
        one
        for one in await hold_beneficiaries(connection, cards=[shown.card])
        if (shown.benefit_code is None or one.benefit_code == shown.benefit_code)
        and (agency is None or one.agency == agency)
    ]
    if not held:
        return NotDone(Refusal.NO_BENEFIT_TO_CERTIFY)
    return [await _certified(connection, one, shown, today=today, now=now) for one in held]


async def take_matches(
    connection: AnyConnection, named: Sequence[bytes], shown: "Matched", *, today: date, now: datetime
) -> list[Beneficiary]:
    """Certify the benefits among *named* that are of the operator's region. What it names besides stays as it is."""
    lowest, highest = shown.regions
    held = [one for one in await hold_beneficiaries(connection, ids=named) if lowest <= one.region <= highest]
    return [
        await _certified(
            connection,
            one,
            Shown(
                card=one.card,
                benefit_code=one.benefit_code,
                method=Method.DATA_MATCH,
                is_pending=False,
                on=shown.on,
                by=shown.by,
                evidence=shown.evidence,
            ),
            today=today,
            now=now,
        )
        for one in held
    ]


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What another register has told of many."""

    regions: tuple[int, int]
    on: date
    by: bytes
    evidence: str


class CertifiedOnly:
    """Holds what is paid to whoever is late with showing that it is due. Who is not registered need not show it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """By the register of beneficiaries behind *pool*."""
        self._pool = pool

    async def overdue(self, payouts: Sequence[Payout]) -> Collection[DisbursementLineId]:
        """The lines whose benefits are overdue or suspended on the open business date."""
        today = (await Reads(self._pool).business_now()).control.business_date
        standings = await load_standings(self._pool, [(one.card, one.benefit_code) for one in payouts])
        late = {benefit for benefit, standing in standings.items() if state_on(standing, today) in HELD}
        return [one.id for one in payouts if (one.card, one.benefit_code) in late]


async def _certified(
    connection: AnyConnection, held: Beneficiary, shown: Shown, *, today: date, now: datetime
) -> Beneficiary:
    one = Certification(
        method=shown.method,
        is_pending=shown.is_pending,
        certified_on=shown.on,
        certified_by=shown.by,
        evidence=shown.evidence,
        at=now,
    )
    await keep_certification(connection, held, one)
    if not shown.is_pending:
        await set_standing(connection, held, certify(held.standing, shown.on, today=today))
    after = await load_beneficiary(connection, held.id)
    assert after is not None, "its row is held"
    return after
