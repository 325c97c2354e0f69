"""What the settlement of a cycle posts: every account that it cleared becomes its bank's, and every bank ends even.

Accounts that hold what was returned are not cleared: the bank that stands in has advanced it, and its settlement
account keeps the amount until it is collected after all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from engine.core.accounts import AccountId, settlement
from engine.core.bank_lines import Direction
from engine.core.clearing import STAND_INS, Movement, bank_of, route_account
from engine.core.commands import Entry
from engine.core.ids import BankId, kind_number

ENTRIES_MAX: Final = 60
"""Of one command: it is decided in one batch with others."""


class DroppedMove(msgspec.Struct, frozen=True):
    """What items that dropped out moved at their bank's account, and what they move instead. Units: fen."""

    direction: Direction
    account: AccountId
    stand_in: AccountId
    amount: int


class AccountNets:
    """What each account of a cycle got, less what it paid; personal accounts and benefits count as their funds'."""

    def __init__(self) -> None:
        """Nothing moved yet."""
        self.nets: dict[AccountId, int] = {}

    def add(self, debit: AccountId, credit: AccountId, amount: int) -> None:
        """An amount moved from one account to another."""
        self._add(debit, -amount)
        self._add(credit, amount)

    def drop(self, dropped: DroppedMove) -> None:
        """Some of what was added moved another account than it says."""
        sign = -1 if dropped.direction is Direction.DEBIT else 1
        self._add(dropped.account, -sign * dropped.amount)
        self._add(dropped.stand_in, sign * dropped.amount)

    def _add(self, account: AccountId, amount: int) -> None:
        if kind_number(account) not in STAND_INS:
            cleared = route_account(account)
            self.nets[cleared] = self.nets.get(cleared, 0) + amount


def settlement_entries(nets: AccountNets, routes: Mapping[AccountId, BankId], moved: Iterable[Movement]) -> list[Entry]:
    """The entries of a cycle's settlement, always in the same order: the accounts by id, then what was *moved*.

    Raises:
        AccountNotRouted: an account of the cycle has no bank in *routes*.
    """
    entries = []
    for account, net in sorted(nets.nets.items()):
        if net:
            of_bank = settlement(bank_of(account, routes))
            entries.append(Entry(of_bank, account, -net) if net < 0 else Entry(account, of_bank, net))
    # The settlement bank's own side takes what the payers leave, and gives what the receivers get.
    entries += [
        Entry(settlement(movement.creditor), settlement(movement.debtor), movement.amount) for movement in moved
    ]
    return entries


def pages_of(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    """The entries, as many at a time as one command may have."""
    return [tuple(entries[at : at + ENTRIES_MAX]) for at in range(0, len(entries), ENTRIES_MAX)]
