"""Puts the sample city into an empty database: participants and cards by COPY, balances through the ledger."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Final

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from engine.codes.http_signature import Algorithm
from engine.codes.keys import CALLER_KEY_PLACE, DEVICE_KEY_ID, FIELD_KEY_ID, Keyring
from engine.codes.pay_code import device_key
from engine.core.accounts import PERSONAL_ACCOUNT_PAY_TYPE
from engine.core.commands import OpenAccount, Operation
from engine.core.ids import (
    ENTROPY_BITS,
    NO_ID,
    SHARD_COUNT,
    BankId,
    CallerId,
    CardId,
    IdKind,
    MerchantId,
    device_number,
    id_text,
    make_id,
    shard_of,
)
from engine.core.participants import ITEMS, ROLES
from engine.core.payer import Payer
from engine.core.scenarios import BY_NAME
from engine.ledger.router import Ledger
from engine.sandbox.card_register import bank_account, register_rows
from engine.sandbox.card_secrets import FIRST_VERSION, CardSecrets
from engine.sandbox.channels import channel_rows
from engine.sandbox.city import SampleCity
from engine.sandbox.city_plans import load_city_plans
from engine.sandbox.gates import SandboxGate, describe_gates, load_gates
from engine.sandbox.inquiry_records import PEOPLE_MAX, load_inquiries
from engine.sandbox.offices import PORTAL, SandboxLoginClient, load_offices, load_pensioners, portal
from engine.sandbox.people import Cardholder
from engine.sandbox.plans import FUND_PAY_TYPES, hospital_level, insured, relative_of
from engine.store.persons import index_of
from engine.store.rows import Row, payer_row
from engine.store.sql import load_queries

ACCOUNTS_AT_ONCE: Final = 500
_EPOCH_MS: Final = 1_577_836_800_000  # 2020-01-01: the city is older than any of its payments


class SandboxCaller(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One caller as `sandbox.json` lists it; `key` is what it signs with."""

    name: str
    kind: str
    id: str
    keyid: str
    alg: str
    key: str
    region: str
    terminals: tuple[str, ...] | None = None
    gates: tuple[SandboxGate, ...] | None = None
    cnaps: str | None = None
    settlement_bank: bool | None = None


class SandboxCard(msgspec.Struct, frozen=True, kw_only=True):
    """One card as `sandbox.json` lists it. Units: fen."""

    id: str
    holder: str
    region: str
    bank: str
    device_no: str
    totp_key: str
    personal_account: int
    card_no: str  # of the physical card, as a terminal reads it
    id_number: str
    phone: str
    bank_account: str | None  # none before it may pay
    password: str


class Loaded(msgspec.Struct, frozen=True):
    """What is in the database afterwards, in the city's own order."""

    callers: tuple[SandboxCaller, ...]
    cards: tuple[SandboxCard, ...]
    login_clients: tuple[SandboxLoginClient, ...]


class CityLoader:
    """Ids and keys follow from the master secret and the city's order, so loading twice makes the same city."""

    def __init__(self, city: SampleCity, keyring: Keyring, *, master: bytes, card_count: int) -> None:
        """A city that is not loaded yet."""
        self._city = city
        self._keyring = keyring
        self._master = master
        self._card_count = card_count
        self._secrets = CardSecrets(master, keyring)
        self._banks = {
            bank.cnaps: BankId(self._id(IdKind.BANK, n, region=city.pooling_area)) for n, bank in enumerate(city.banks)
        }

    def describe(self) -> Loaded:
        """What `sandbox.json` lists. Cards that can pay without more ado come first."""
        holders = list(self._holders())
        able = sorted(holders, key=lambda holder: not holder.can_pay_at_once)
        return Loaded(
            callers=tuple(caller for caller, _ in self._callers()),
            cards=tuple(self._card(holder) for holder in able),
            login_clients=(portal(self._city, self._id, self._secret(PORTAL)),),
        )

    async def load(self, connection: asyncpg.Connection, ledger: Ledger, *, progress: Callable[[int], None]) -> None:
        """Load what is not there yet. *progress* is told how many cards are done.

        Raises:
            Fault: the database cannot take it.
        """
        queries = load_queries("sandbox")
        if not await connection.fetchval(queries["has_city"]):
            await self._copy_all(connection)
        await load_city_plans(connection)
        opened = await connection.fetchval(queries["opened_accounts"], CallerId(NO_ID), Operation.OPEN_ACCOUNT)
        if opened < sum(1 for holder in self._holders() if holder.personal_account_fen):
            await self._open_accounts(ledger, progress)

    async def _copy_all(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await self._copy_participants(connection)
            await self._copy_channels(connection)
            for n, merchant in enumerate(self._city.merchants):
                await load_gates(connection, self._merchant_id(n), merchant, self._secret)
            await load_offices(connection, self._city, self._id, self._secret(PORTAL))
            today = await connection.fetchval(load_queries("sandbox")["business_date"])
            people = ((holder, self._card_id(holder)) for holder in self._holders())
            await load_pensioners(connection, self._city, self._id, people, today=today)
            holders = self._holders()
            while page := list(islice(holders, ACCOUNTS_AT_ONCE)):
                await self._copy_cards(connection, page, benefit_year=today.year)
            await self._copy_secrets(connection)
            await self._copy_inquiries(connection)

    async def _copy_inquiries(self, connection: asyncpg.Connection) -> None:
        city, channels = self._city, self._channel_ids()
        agencies = [self._id(IdKind.AGENCY, n, region=agency.region) for n, agency in enumerate(city.agencies)]
        await load_inquiries(
            connection,
            list(islice(self._holders(), PEOPLE_MAX)),
            (*channels.values(), *agencies),
            lambda n: self._id(IdKind.GRANT, n, region=city.pooling_area),
            self,
            self._keyring,
        )

    async def _copy_secrets(self, connection: asyncpg.Connection) -> None:
        holders = list(self._holders())
        tables = {"card_number": self._secrets.number_row, "card_password": self._secrets.password_row}
        for table, row in tables.items():
            await connection.copy_records_to_table(
                table, records=[row(holder, self._card_id(holder)) for holder in holders]
            )

    async def _open_accounts(self, ledger: Ledger, progress: Callable[[int], None]) -> None:
        """Through the ledger, under keys that follow from the city's order: what was opened before is only replayed."""
        holders = self._holders()
        done = 0
        while page := list(islice(holders, ACCOUNTS_AT_ONCE)):
            commands = [
                OpenAccount(
                    caller=CallerId(NO_ID),
                    key=f"opening-{holder.index}",
                    card=self._card_id(holder),
                    amount=holder.personal_account_fen,
                )
                for holder in page
                if holder.personal_account_fen
            ]
            await asyncio.gather(*(ledger.submit(command) for command in commands))
            done += len(page)
            progress(done)

    async def _copy_participants(self, connection: asyncpg.Connection) -> None:
        city = self._city
        tables: dict[str, list[Row]] = {
            "bank": [
                # Files at the end of every cycle: no choice of delivery.
                (self._banks[bank.cnaps], int(bank.cnaps), bank.name, bank.name_en, bank.is_settlement_bank, None)
                for bank in city.banks
            ],
            "fund": [
                (city.pooling_area, pay_type, self._banks[city.fund_bank])
                for pay_type in (*FUND_PAY_TYPES, PERSONAL_ACCOUNT_PAY_TYPE)
            ],
            "merchant": [
                (
                    self._merchant_id(n),
                    merchant.code,
                    merchant.region,
                    self._banks[merchant.cnaps],
                    merchant.is_suspended,
                    [BY_NAME[name].number for name in merchant.scenarios],
                    merchant.name,
                    merchant.name_en,
                    hospital_level(merchant.kind, n),
                )
                for n, merchant in enumerate(city.merchants)
            ],
            "terminal": [
                (self._merchant_id(n), terminal)
                for n, merchant in enumerate(city.merchants)
                for terminal in merchant.terminals
            ],
            "agency": [
                (
                    self._id(IdKind.AGENCY, n, region=agency.region),
                    agency.slug,
                    agency.region,
                    ITEMS[agency.item],
                    self._banks[agency.cnaps],
                    agency.name,
                    agency.name_en,
                )
                for n, agency in enumerate(city.agencies)
            ],
            "operator": [
                (
                    self._id(IdKind.OPERATOR, n, region=operator.region),
                    operator.slug,
                    ROLES[operator.role],
                    operator.region,
                    operator.name,
                    operator.slug,
                )
                for n, operator in enumerate(city.operators)
            ],
            "caller_key": [
                (
                    caller.keyid,
                    caller_id,
                    caller.alg,
                    self.seal(CALLER_KEY_PLACE, self._verifier(caller)),
                    FIELD_KEY_ID,
                    False,
                )
                for caller, caller_id in self._callers()
            ],
        }
        for table, rows in tables.items():
            await connection.copy_records_to_table(table, records=rows)

    async def _copy_channels(self, connection: asyncpg.Connection) -> None:
        city = self._city
        ids = list(self._channel_ids().values())
        founded_at = datetime.fromtimestamp(_EPOCH_MS / 1_000, UTC)
        await connection.copy_records_to_table("channel", records=channel_rows(city, ids, founded_at=founded_at))

    async def _copy_cards(
        self, connection: asyncpg.Connection, holders: list[Cardholder], *, benefit_year: int
    ) -> None:
        tables: dict[str, list[Row]] = {
            "payer": [payer_row(self._payer(holder, benefit_year)) for holder in holders],
            "device": [(self._device_no(holder), self._card_id(holder), DEVICE_KEY_ID, False) for holder in holders],
            **register_rows(
                [(holder, self._card_id(holder), self._banks[holder.cnaps]) for holder in holders],
                self._channel_ids(),
                self,
            ),
        }
        for table, rows in tables.items():
            await connection.copy_records_to_table(table, records=rows)

    def _holders(self) -> Iterator[Cardholder]:
        return self._city.cardholders(self._card_count)

    def _payer(self, holder: Cardholder, benefit_year: int) -> Payer:
        insurance = insured(holder, seed=self._city.seed)
        relative = relative_of(holder, seed=self._city.seed)
        return Payer(
            id=self._card_id(holder),
            status=holder.status,
            issue_level=holder.issue_level,
            bank=self._banks[holder.cnaps],
            bank_allowance=holder.bank_allowance_fen,
            tender_order=holder.tender_order,
            limit_day=date.min,
            no_password_up_to=holder.no_password_up_to_fen,
            password_version=FIRST_VERSION,
            insured_region=holder.region,
            insurance=insurance.insurance,
            person_type=insurance.person_type,
            benefit_year=benefit_year,
            deductible_used=insurance.deductible_used,
            fund_paid=insurance.fund_paid,
            family=self._card_id(relative) if relative is not None else None,
        )

    def _card(self, holder: Cardholder) -> SandboxCard:
        device_no = self._device_no(holder)
        key = device_key(self._keyring.device_master, DEVICE_KEY_ID, device_no)
        return SandboxCard(
            id=id_text(self._card_id(holder)),
            holder=holder.full_name,
            region=f"{holder.region:06d}",
            bank=holder.cnaps,
            device_no=f"{device_no:011d}",
            totp_key=base64.b64encode(key).decode(),
            personal_account=holder.personal_account_fen,
            card_no=holder.card_no,
            id_number=holder.id_number,
            phone=holder.phone,
            bank_account=bank_account(holder),
            password=self._secrets.password(holder),
        )

    def _callers(self) -> Iterator[tuple[SandboxCaller, bytes]]:
        """Every caller. Merchants and channels share a secret with the engine, the others sign with Ed25519."""
        city = self._city
        area = city.pooling_area
        for n, merchant in enumerate(city.merchants):
            identifier = self._merchant_id(n)
            caller = self._caller("merchant", merchant.slug, identifier, merchant.region, merchant.terminals)
            yield msgspec.structs.replace(caller, gates=describe_gates(merchant, self._secret)), identifier
        for bank in city.banks:
            bank_id = self._banks[bank.cnaps]
            caller = self._caller("bank", bank.slug, bank_id, area)
            with_bank = {"cnaps": bank.cnaps, "settlement_bank": bank.is_settlement_bank}
            yield msgspec.structs.replace(caller, **with_bank), bank_id
        others = (
            ("channel", IdKind.CHANNEL, [(channel.slug, area) for channel in city.channels]),
            ("agency", IdKind.AGENCY, [(agency.slug, agency.region) for agency in city.agencies]),
            ("operator", IdKind.OPERATOR, [(operator.slug, operator.region) for operator in city.operators]),
        )
        for kind, id_kind, members in others:
            for n, (slug, region) in enumerate(members):
                other = self._id(id_kind, n, region=region)
                yield self._caller(kind, slug, other, region), other

    def _caller(
        self, kind: str, slug: str, identifier: bytes, region: int, terminals: tuple[str, ...] | None = None
    ) -> SandboxCaller:
        is_shared = kind in ("merchant", "channel")
        return SandboxCaller(
            name=slug,
            kind=kind,
            id=id_text(identifier),
            keyid=f"{slug}-1",
            alg=Algorithm.HMAC_SHA256 if is_shared else Algorithm.ED25519,
            key=base64.b64encode(self._secret(slug)).decode() if is_shared else _pem(self._private(slug)),
            region=f"{region:06d}",
            terminals=terminals,
        )

    def _verifier(self, caller: SandboxCaller) -> str:
        """What the engine keeps of a caller's key: the shared secret, or the public half."""
        if caller.alg == Algorithm.HMAC_SHA256:
            return caller.key
        public = self._private(caller.name).public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def _private(self, slug: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._secret(slug))

    def _secret(self, name: str) -> bytes:
        return hmac.digest(self._master, f"sandbox {name}".encode(), hashlib.sha256)

    def index(self, place: str, text: str) -> bytes:
        """What a sealed field is found by."""
        return index_of(self._keyring, place, text)

    def seal(self, place: str, text: str) -> bytes:
        """Sealed with a nonce that follows from place and text, so that loading again writes the same bytes.

        Equal texts in one place look equal then, which is all right for invented data only.
        """
        nonce = hmac.digest(self._master, f"nonce {place} {text}".encode(), hashlib.sha256)[:12]
        return self._keyring.seal(text.encode(), place=place, nonce=nonce)

    def _merchant_id(self, n: int) -> MerchantId:
        return MerchantId(self._id(IdKind.MERCHANT, n, region=self._city.merchants[n].region))

    def _channel_ids(self) -> dict[str, bytes]:
        """By number, in the city's order."""
        area = self._city.pooling_area
        return {one.channel_no: self._id(IdKind.CHANNEL, n, region=area) for n, one in enumerate(self._city.channels)}

    def _card_id(self, holder: Cardholder) -> CardId:
        shard = holder.index % SHARD_COUNT
        return CardId(self._id(IdKind.CARD, holder.index, region=holder.region, shard=shard))

    def _device_no(self, holder: Cardholder) -> int:
        """Three digits of the card's shard, then eight of the device's own."""
        return device_number(shard_of(self._card_id(holder)), holder.index)

    def _id(self, kind: IdKind, n: int, *, region: int, shard: int = 0) -> bytes:
        drawn = hmac.digest(self._master, f"id {kind.name} {n}".encode(), hashlib.sha256)
        entropy = int.from_bytes(drawn[:8]) % (1 << ENTROPY_BITS)
        return make_id(kind, at_ms=_EPOCH_MS + n, shard=shard, region=region, entropy=entropy)


def _pem(private: Ed25519PrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
