"""What the sample city's region knows of its people, and who may look: so that an inquiry finds something.

Consents are not among it: those people give themselves, by the passwords that `sandbox.json` lists.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import product
from typing import Final, Protocol

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.core.consents import FIRST_VERSION
from engine.core.inquiry import (
    TOPICS,
    Employment,
    EmploymentService,
    GuaranteedLoan,
    InquiryRecord,
    Qualification,
    SocialInsurance,
    VocationalSkill,
    VocationalTraining,
)
from engine.core.participants import NATIONAL, regions_of
from engine.sandbox.people import Cardholder
from engine.store.inquiry import CONTENT_PLACE, record_key_index
from engine.store.persons import ID_NUMBER_PLACE
from engine.store.rows import Row

PEOPLE_MAX: Final = 200
PURPOSE: Final = "personal_use"
_FOUNDED_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)
_LASTS_UNTIL: Final = date(2040, 1, 1)
_EMPLOYERS: Final = ("第一机床厂", "东城百货", "和平里小学", "城建集团")


class Sealing(Protocol):
    """Seals and indexes texts, always the same way."""

    def seal(self, place: str, text: str) -> bytes:
        """The text, sealed for its place."""

    def index(self, place: str, text: str) -> bytes:
        """What the text is found by."""


def records_of(holder: Cardholder) -> tuple[InquiryRecord, ...]:
    """One record of each topic."""
    n, region = holder.index, f"{holder.region:06d}"
    employer = _EMPLOYERS[n % len(_EMPLOYERS)]
    return (
        SocialInsurance(
            region=region,
            insurance="pension",
            employer=employer,
            status="normal",
            months_paid=24 + n % 300,
            base=600_000 + n % 40 * 10_000,
            account_balance=1_000_000 + n * 100,
            as_of=date(2026, 1, 31),
        ),
        EmploymentService(
            region=region, registration_no=f"JY{n:08d}", status="employed", registered_on=date(2019, 7, 1)
        ),
        Employment(region=region, employer=employer, employment_type="full_time", starts_on=date(2019, 7, 1)),
        VocationalTraining(
            region=region,
            course="电工进阶",
            provider="市职业培训中心",
            hours=80,
            starts_on=date(2024, 3, 4),
            ends_on=date(2024, 4, 26),
            subsidy=120_000,
        ),
        Qualification(
            region=region,
            name="经济师",
            level="中级",
            certificate_no=f"ZC{n:08d}",
            issued_on=date(2023, 12, 1),
            issuer="人力资源和社会保障部",
        ),
        VocationalSkill(
            region=region,
            occupation="电工",
            level=1 + n % 5,
            certificate_no=f"JN{n:08d}",
            issued_on=date(2024, 6, 3),
            institution="市职业技能鉴定中心",
        ),
        GuaranteedLoan(
            region=region,
            application_no=f"DK{n:08d}",
            amount=20_000_000,
            interest_discount_bp=200,
            bank="城市商业银行",
            status="repaid",
        ),
    )


async def load_inquiries(
    connection: asyncpg.Connection,
    people: Sequence[Cardholder],
    holders: Sequence[bytes],
    grant_id: Callable[[int], bytes],
    sealing: Sealing,
    keyring: Keyring,
) -> None:
    """Records of people, and grants of everything to *holders*.

    Shape: *grant_id* of a number from 0 on.
    """
    records = [row for holder in people for row in _record_rows(holder, sealing, keyring)]
    columns = ("topic", "region", "person_index", "key_index", "content", "field_key_id", "sent_at")
    await connection.copy_records_to_table("inquiry_record", records=records, columns=columns)
    await connection.copy_records_to_table("access_grant", records=[*_grant_rows(holders, grant_id)])


def _record_rows(holder: Cardholder, sealing: Sealing, keyring: Keyring) -> Iterator[Row]:
    index = sealing.index(ID_NUMBER_PLACE, holder.id_number)
    for topic, record in zip(TOPICS.values(), records_of(holder), strict=True):
        content = sealing.seal(CONTENT_PLACE, msgspec.json.encode(record).decode())
        key_index = record_key_index(keyring, topic, record)
        yield (topic.name, holder.region, index, key_index, content, FIELD_KEY_ID, _FOUNDED_AT)


def _grant_rows(holders: Sequence[bytes], grant_id: Callable[[int], bytes]) -> Iterator[Row]:
    for n, (holder, topic) in enumerate(product(holders, TOPICS)):
        yield (
            grant_id(n),
            holder,
            topic,
            PURPOSE,
            *regions_of(NATIONAL),
            _FOUNDED_AT.date(),
            _LASTS_UNTIL,
            FIRST_VERSION,
            None,  # it came with the city
            _FOUNDED_AT,
            None,
            None,
            None,
        )
