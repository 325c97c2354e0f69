"""What the books know of the payments that a bank speaks of, as far as they are that bank's business."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date

import msgspec

from engine.core.accounts import AccountId, AccountKind, account_kind, merchant_payable, owner_of, pool_fund
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, AccountNotRouted, bank_of, has_own_bank, route_account
from engine.core.ids import BankId, IdKind, MalformedId, MerchantId, parse_id
from engine.core.payments import Tender
from engine.core.reconciliation import UNKNOWN_PAYMENT, PaymentFacts
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.sql import load_queries

_tenders = msgspec.msgpack.Decoder(tuple[Tender, ...]).decode

Routes = Mapping[AccountId, BankId]


class ClearedItem(msgspec.Struct, frozen=True, gc=False):
    """One item of a bank, from the postings: what a clearing file has told it, or will tell it. Units: fen."""

    business_date: date
    cycle: CycleNumber
    direction: Direction
    amount: int
    is_published: bool


class PaymentsOfBank:
    """Reads through one connection. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, connection: AnyConnection, bank: BankId) -> None:
        """Of *bank*'s business only: what concerns other banks is as unknown as what does not exist."""
        self._connection = connection
        self._bank = bank
        self._queries = load_queries("reconciliation")

    async def facts(self, payment_ids: Sequence[str]) -> dict[str, PaymentFacts]:
        """What is known of each of these payments."""
        ids = _parsed(payment_ids)
        with translated():
            rows = await self._connection.fetch(self._queries["payment_facts"], list(ids))
            funds = await self._current_funds()
        cleared = await self.cleared(payment_ids)
        facts = dict.fromkeys(payment_ids, UNKNOWN_PAYMENT)
        for row in rows:
            payment_id = ids[row["id"]]
            if row["captured"]:
                is_own = payment_id in cleared
            else:
                is_own = self._bank == row["merchant_bank"] or any(
                    self._is_its(tender.source, funds) for tender in _tenders(row["tenders"])
                )
            facts[payment_id] = PaymentFacts(is_own=is_own, is_captured=bool(row["captured"]))
        return facts

    async def cleared(self, payment_ids: Sequence[str]) -> dict[str, list[ClearedItem]]:
        """The bank's items of each of these payments that has any, in all cycles."""
        ids = _parsed(payment_ids)
        with translated():
            captured = [
                row["id"] for row in await self._connection.fetch(self._queries["captured_payments"], list(ids))
            ]
            if not captured:
                return {}
            rows = await self._connection.fetch(
                self._queries["cleared_of_payments"], captured, CLEARED_PHASE, CLEARED_KINDS
            )
        routes = await self._routes(
            [(row["cycle"], account) for row in rows for account in (row["debit"], row["credit"])]
        )
        found: dict[str, list[ClearedItem]] = defaultdict(list)
        for row in rows:
            for account, direction in ((row["debit"], Direction.DEBIT), (row["credit"], Direction.CREDIT)):
                if self._is_its(account, routes[row["cycle"]]):
                    item = ClearedItem(
                        row["business_date"], CycleNumber(row["cycle"]), direction, row["amount"], row["is_published"]
                    )
                    found[ids[row["payment"]]].append(item)
        return dict(found)

    async def covered(self, dates: Sequence[date]) -> list[tuple[int, int]]:
        """Ranges of the cycles of these dates that standing statements are about, both ends included."""
        with translated():
            rows = await self._connection.fetch(self._queries["covered_cycles"], self._bank, dates)
        return [(row["cycle_from"], row["cycle_to"]) for row in rows]

    async def _routes(self, accounts: Sequence[tuple[int, bytes]]) -> dict[int, Routes]:
        """The banks of some accounts in each cycle: as it was netted, or as it would be now."""
        wanted = {(cycle, route_account(AccountId(account))) for cycle, account in accounts if not _is_banks(account)}
        cycles, names = sorted({cycle for cycle, _ in accounts}), sorted({account for _, account in wanted})
        with translated():
            rows = await self._connection.fetch(self._queries["routes_of_cycles"], cycles, names)
            now = await self._current_funds() | await self._current_merchants(names)
        routes: dict[int, dict[AccountId, BankId]] = {cycle: dict(now) for cycle in cycles}
        for row in rows:
            routes[row["cycle"]][AccountId(row["account"])] = BankId(row["bank"])
        return dict(routes)

    async def _current_funds(self) -> dict[AccountId, BankId]:
        rows = await self._connection.fetch(self._queries["current_fund_banks"])
        return {pool_fund(row["region"], row["pay_type"]): BankId(row["bank"]) for row in rows}

    async def _current_merchants(self, accounts: Sequence[AccountId]) -> dict[AccountId, BankId]:
        merchants = [owner_of(account) for account in accounts if account_kind(account) is AccountKind.MERCHANT_PAYABLE]
        rows = await self._connection.fetch(self._queries["current_merchant_banks"], merchants)
        return {merchant_payable(MerchantId(row["id"])): BankId(row["bank"]) for row in rows}

    def _is_its(self, account: AccountId, routes: Routes) -> bool:
        with suppress(AccountNotRouted):
            return bank_of(account, routes) == self._bank
        return False


def _is_banks(account: bytes) -> bool:
    return has_own_bank(AccountId(account))


def _parsed(payment_ids: Sequence[str]) -> dict[bytes, str]:
    """The ids among some texts of a bank's, by their bytes."""
    found = {}
    for payment_id in payment_ids:
        with suppress(MalformedId):
            found[parse_id(payment_id, IdKind.PAYMENT)] = payment_id
    return found
