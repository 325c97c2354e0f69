"""Settlement in tests: books that post nothing, and what every account of the ledger has."""

from collections import defaultdict
from typing import Final

import asyncpg

from engine.core.accounts import AccountId, AccountKind, account_kind
from engine.core.clearing import route_account
from engine.core.settlement import SettledCycle


class Unposted:
    """Settles without postings: for what is not about the books."""

    async def post(self, settled: SettledCycle) -> None:
        """Nothing is posted."""

    async def finish_returns(self) -> None:
        """Nothing is posted."""

    async def present_again(self) -> None:
        """Nothing is presented."""


UNPOSTED: Final = Unposted()


async def balances(sql: asyncpg.Connection) -> dict[AccountId, int]:
    """What each account has been credited less what it was debited by postings for good, but for those that are even.
    Personal accounts count as their funds', as in settlement.
    """
    found: dict[AccountId, int] = defaultdict(int)
    for row in await sql.fetch("SELECT debit::text AS d, credit::text AS c, amount FROM posting WHERE phase = 3"):
        for account, amount in ((_account(row["d"]), -row["amount"]), (_account(row["c"]), row["amount"])):
            is_personal = account_kind(account) is AccountKind.PERSONAL_ACCOUNT
            found[route_account(account) if is_personal else account] += amount
    return {account: balance for account, balance in found.items() if balance}


def _account(text: str) -> AccountId:
    return AccountId(bytes.fromhex(text.replace("-", "")))
