"""Who stands around the sample city's cards: offices for applications, a portal to log in at, and pensioners who have
to show, once a year, that they are still due their pension.
"""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, Protocol

import asyncpg
import msgspec

from engine.core.applications import ApplicationKind
from engine.core.certification import CYCLE_MONTHS
from engine.core.ids import NO_ID, CardId, IdKind, id_text
from engine.core.logins import ClientState, LoginScope
from engine.core.payer import CardStatus
from engine.sandbox.city import SampleCity
from engine.sandbox.people import Cardholder
from engine.sandbox.plans import RETIRED, insured
from engine.store.rows import Row

PENSION: Final = "PENSION"
PENSIONERS: Final = 6
DUE_SOON: Final = 2
"""So many of them have to show it within a month; the others have a year."""

OFFICES: Final = {
    ApplicationKind.EMPLOYMENT_ENTREPRENEURSHIP: "agency-training",
    ApplicationKind.SOCIAL_SECURITY: "agency-premium",
    ApplicationKind.LABOR_RELATIONS: "agency-premium",
    ApplicationKind.TALENT: "agency-exam",
    ApplicationKind.MEDIATION_ARBITRATION: "agency-premium",
    ApplicationKind.FINANCE: "demo-bank-a",
}
"""Three agencies and a bank: every kind of application has somebody who takes it."""

PORTAL: Final = "portal"
REDIRECT_URIS: Final = ("http://127.0.0.1:8090/callback",)
_PAID_BY: Final = "agency-benefit"
_SOON: Final = timedelta(days=20)
_LATER: Final = timedelta(days=300)
_YEAR: Final = timedelta(days=365)
_FOUNDED_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)


class SandboxLoginClient(msgspec.Struct, frozen=True, kw_only=True):
    """A portal as `sandbox.json` lists it."""

    name: str
    client_id: str
    secret: str
    redirect_uris: tuple[str, ...]

    def __repr__(self) -> str:
        return f"SandboxLoginClient(name={self.name!r}, ***)"


class NewId(Protocol):
    """The id of the *n*-th of its kind: the same however often the city is loaded."""

    def __call__(self, kind: IdKind, n: int, *, region: int) -> bytes:
        """An id."""


def portal(city: SampleCity, new_id: NewId, secret: bytes) -> SandboxLoginClient:
    """The city's portal, with what it proves itself by. Shape: *secret* is 32 bytes."""
    return SandboxLoginClient(
        name=PORTAL,
        client_id=id_text(new_id(IdKind.LOGIN_CLIENT, 0, region=city.pooling_area)),
        secret=base64.urlsafe_b64encode(secret).rstrip(b"=").decode(),
        redirect_uris=REDIRECT_URIS,
    )


async def load_offices(connection: asyncpg.Connection, city: SampleCity, new_id: NewId, secret: bytes) -> None:
    """Offices for every kind of application, and the portal, where people may log in at once."""
    handlers = _handlers(city, new_id)
    await connection.copy_records_to_table(
        "application_office",
        records=[
            (kind, city.pooling_area, handlers[slug], NO_ID, _FOUNDED_AT, None, None) for kind, slug in OFFICES.items()
        ],
    )
    row: Row = (
        new_id(IdKind.LOGIN_CLIENT, 0, region=city.pooling_area),
        city.pooling_area,
        "演示办事门户",
        "Demo Service Portal",
        "演示政务大厅",
        list(REDIRECT_URIS),
        [scope.value for scope in LoginScope],
        hashlib.sha256(portal(city, new_id, secret).secret.encode()).digest(),
        None,
        None,
        ClientState.ACTIVE,
        NO_ID,
        _FOUNDED_AT,
        _FOUNDED_AT,
    )
    await connection.copy_records_to_table("login_client", records=[row])


async def load_pensioners(
    connection: asyncpg.Connection,
    city: SampleCity,
    new_id: NewId,
    people: Iterable[tuple[Cardholder, CardId]],
    *,
    today: date,
) -> None:
    """The first retired people of the city whose cards are in use, each with the day until which to show it again."""
    retired = (
        (holder, card)
        for holder, card in people
        if holder.status is CardStatus.ACTIVE and insured(holder, seed=city.seed).person_type == RETIRED
    )
    agency = _handlers(city, new_id)[_PAID_BY]
    rows: list[Row] = []
    for n, (holder, card) in enumerate(islice(retired, PENSIONERS)):
        due_on = today + (_SOON if n < DUE_SOON else _LATER)
        identifier = new_id(IdKind.CERTIFICATION, n, region=holder.region)
        rows.append(
            (identifier, card, PENSION, agency, holder.region, CYCLE_MONTHS, due_on, due_on - _YEAR, False, _FOUNDED_AT)
        )
    await connection.copy_records_to_table("beneficiary", records=rows)


def _handlers(city: SampleCity, new_id: NewId) -> dict[str, bytes]:
    """Agencies and banks by name."""
    agencies = {agency.slug: new_id(IdKind.AGENCY, n, region=agency.region) for n, agency in enumerate(city.agencies)}
    return agencies | {bank.slug: new_id(IdKind.BANK, n, region=city.pooling_area) for n, bank in enumerate(city.banks)}
