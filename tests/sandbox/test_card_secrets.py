"""Numbers and passwords of the sample cards: the same in every load, and good where real ones are."""

import asyncpg

from engine.codes.keys import Keyring
from engine.codes.password_hash import is_password
from engine.core.ids import CardId, IdKind
from engine.core.passwords import weakness_of
from engine.sandbox.card_secrets import FIRST_VERSION, CardSecrets
from engine.sandbox.city import sample_city
from engine.store.card_numbers import CardNumbers
from engine.store.connection import open_pool
from tests.builders import an_id

MASTER = bytes(range(32))
KEYRING = Keyring(MASTER)
HOLDERS = tuple(sample_city().cardholders(2_000))


def test_passwords_are_such_as_a_cardholder_may_choose() -> None:
    secrets = CardSecrets(MASTER, KEYRING)
    passwords = [secrets.password(holder) for holder in HOLDERS]
    assert [
        holder.index for holder in HOLDERS if weakness_of(passwords[holder.index], id_number=holder.id_number)
    ] == []
    assert len(set(passwords)) > 1_900


def test_every_sandbox_has_its_own_and_always_the_same() -> None:
    holder, card = HOLDERS[7], CardId(an_id(IdKind.CARD))
    first, again, other = (CardSecrets(master, KEYRING) for master in (MASTER, MASTER, bytes(32)))
    assert first.password(holder) == again.password(holder) != other.password(holder)
    assert first.password_row(holder, card) == again.password_row(holder, card)


async def test_what_is_loaded_is_found_and_compared_as_anything_else(dsn: str, sql: asyncpg.Connection) -> None:
    secrets, holders = CardSecrets(MASTER, KEYRING), HOLDERS[:20]
    cards = [CardId(an_id(IdKind.CARD)) for _ in holders]
    for table, row in (("card_number", secrets.number_row), ("card_password", secrets.password_row)):
        await sql.copy_records_to_table(table, records=list(map(row, holders, cards)))
    pool = await open_pool(dsn, size_max=1)
    numbers = CardNumbers(pool, KEYRING)
    assert [await numbers.card_of(holder.card_no) for holder in holders] == cards
    await pool.close()
    for holder, card in zip(holders, cards, strict=True):
        kept = await sql.fetchrow("SELECT version, hash FROM card_password WHERE card = $1", card)
        assert kept is not None
        assert kept["version"] == FIRST_VERSION
        assert is_password(kept["hash"], secrets.password(holder), card=card, pepper=KEYRING.password_pepper)
