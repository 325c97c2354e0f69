"""Keys of personal data: a rotation reaches everything that is sealed, while the node goes on, and loses nothing."""

import asyncio

import asyncpg
import msgspec
import pytest

from engine.codes.crypto_profile import CRYPTO_PROFILES
from engine.codes.field_keys import FIRST_FIELD_KEY, FieldCipher, FieldKey, field_header, person_header
from engine.codes.hashes import HashAlgorithm
from engine.codes.keys import Keyring
from engine.core.personal_data import SEALED_COLUMNS, SealedColumn
from engine.flows.card_register import CardRegister
from engine.flows.personal_data.rotate import Rotated, Rotation, next_field_key
from engine.flows.personal_data.sealing import adopt_sealing, follow_sealing
from engine.flows.verify_books import verify_books
from engine.settings import WrongSetting, crypto_profile
from engine.store.personal_data import load_sealed_texts, seal_anew, start_of_page
from engine.store.persons import load_card
from tests.people import person
from tests.web.api import Api
from tests.web.register import Carried, bring_in, give_password, issued, open_register, sealed

NOT_SEALED = {
    ("request_answer", "facts"),  # JSON, with keyed indexes where somebody is named
    ("passkey", "credential_id"),
    ("passkey", "public_key"),
    ("passkey_link", "digest"),  # of a token
}
REGISTER = ("person", "card", "physical_card")
PERSONS = [column for column in SEALED_COLUMNS if column.table in REGISTER]


async def rotated(api: Api) -> Rotated:
    """What a rotation to the node's key has done."""
    now = (await api.node.reads.business_now()).now
    told: list[tuple[int, int]] = []
    rotation = Rotation(
        api.node.pool,
        api.node.keyring,
        api.node.ids,
        now=now,
        progress=lambda done, total: told.append((done, total)),
        rows_at_once=1,
    )
    done = await rotation.rotate()
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 0
    return done


async def headers(sql: asyncpg.Connection, column: SealedColumn) -> set[bytes]:
    """How what is sealed in a column begins."""
    rows = await sql.fetch(
        f"SELECT DISTINCT substring({column.column} FOR 6) AS header FROM {column.table}"  # noqa: S608  # names from a table
        f" WHERE {column.column} IS NOT NULL"
    )
    return {row["header"] for row in rows}


async def as_of_old(api: Api, who: Carried) -> None:
    """The person came in before sealed texts had headers, and persons keys."""
    keyring = api.node.keyring
    card = await load_card(api.sql, who.card)
    assert card is not None
    holder = CardRegister(api.node.pool, keyring, api.node.ids).holder(card)
    plain = {"id_number": holder.id_number, "name": holder.name, "phone": holder.phone}
    plain |= {"bank_account": holder.bank_account, "number": holder.card_no}
    owners = {
        "person": "id = $2",
        "card": "person = $2",
        "physical_card": "card IN (SELECT id FROM card WHERE person = $2)",
    }
    for column in PERSONS:
        nonce, text = api.node.ids.nonce(), plain[column.column]
        assert text is not None
        oldest = nonce + keyring._oldest.encrypt(nonce, text.encode(), column.place.encode())
        await api.sql.execute(
            f"UPDATE {column.table} SET {column.column} = $1 WHERE {owners[column.table]}",  # noqa: S608  # names from tables
            oldest,
            card.person,
        )
    await api.sql.execute("DELETE FROM person_key WHERE person = $1", card.person)


async def shown(api: Api, who: Carried) -> list[object]:
    """The card as its channel sees it."""
    reply = await api.get(who.path, caller="channel")
    assert reply.status == 200, reply.body
    return [reply[name] for name in ("name", "id_number", "phone", "card_no", "bank_account")]


async def test_rotation_moves_everything_to_the_new_key_and_loses_nothing(api: Api) -> None:
    await open_register(api)
    old, new = await issued(api, 1, level=2), await issued(api, 2, level=2)
    await give_password(api, new)
    before = [await shown(api, who) for who in (old, new)]
    await as_of_old(api, old)
    assert before == [await shown(api, who) for who in (old, new)]

    now = (await api.node.reads.business_now()).now
    key = await next_field_key(api.sql, FieldCipher.SM4_GCM, now=now)
    assert key == FieldKey(2, FieldCipher.SM4_GCM)
    await follow_sealing(api.node.pool, api.node.keyring)
    done = await rotated(api)

    assert (done.key, done.left) == (key, {})
    assert {name: done.done[name] for name in ("person.name", "physical_card.number", "person_key.secret")} == {
        "person.name": 2,
        "physical_card.number": 2,
        "person_key.secret": 1,  # the other one has got its first
    }
    for column in SEALED_COLUMNS:
        header = person_header(key.cipher) if column.is_persons else field_header(key)
        assert await headers(api.sql, column) <= {header}, column
    assert await api.sql.fetchval("SELECT count(*) FROM person_key") == 2
    assert await api.sql.fetchval("SELECT min(field_key_id) FROM person") == 2

    # Everything is as it was: what is shown, what finds it, who signs, what was answered.
    assert before == [await shown(api, who) for who in (old, new)]
    api.node.callers.forget()
    found = await api.post("/v1/cards/search", old.person.identity, caller="channel")
    assert (found.status, found["id"]) == (200, old.id)
    cancelled = await api.post(
        f"{new.path}/cancel", {"password_block": await sealed(api, f"{new.id}/cancel")}, caller="channel"
    )
    assert cancelled.status == 200, cancelled.body
    again = await rotated(api)
    assert (set(again.done.values()), again.left) == ({0}, {})
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None


async def test_rotation_goes_on_while_rows_change_and_after_it_was_broken_off(api: Api) -> None:
    await open_register(api)
    people = [await bring_in(api, n) for n in range(1, 5)]
    first = person_header(FieldCipher.AES_256_GCM)
    now = (await api.node.reads.business_now()).now
    await next_field_key(api.sql, FieldCipher.AES_256_GCM, now=now)
    await follow_sealing(api.node.pool, api.node.keyring)
    # One that was broken off has done some rows of one column.
    await api.sql.execute("UPDATE person_key SET field_key_id = 1")
    moved = await rotated(api)
    assert moved.done["person_key.secret"] == len(people)
    # A person's texts are under the person's own key: a new field key has nothing to do there.
    assert moved.done["person.name"] == 0
    assert await headers(api.sql, PERSONS[0]) == {first}
    # A row that somebody is changing is waited for and left, and comes with the next turn.
    await next_field_key(api.sql, FieldCipher.AES_256_GCM, now=now)
    await follow_sealing(api.node.pool, api.node.keyring)
    async with api.sql.transaction():
        await api.sql.execute("UPDATE person_key SET made_at = made_at")
        rotating = asyncio.create_task(rotated(api))
        await api.node.pool.fetchval("SELECT 1")
    assert (await rotating).left == {}
    assert await api.sql.fetchval("SELECT max(length(secret)) FROM person_key") is not None
    assert await headers(api.sql, SEALED_COLUMNS[0]) == {field_header(FieldKey(3, FieldCipher.AES_256_GCM))}
    replaced = {
        "card_no": person(len(people) + 1).card_no,
        "issued_on": "2026-11-01",
        "valid_until": "2036-11-01",
        "reason": "old",
    }
    reply = await api.post(f"{people[0].path}/replace", replaced, caller="alpha")
    assert reply.status == 200, reply.body
    assert await headers(api.sql, PERSONS[-1]) == {first}


async def test_text_that_was_changed_meanwhile_is_not_overwritten(api: Api) -> None:
    await open_register(api)
    await bring_in(api, 1)
    column, wanted = SEALED_COLUMNS[0], field_header(FieldKey(2, FieldCipher.AES_256_GCM))
    (text,) = await load_sealed_texts(api.sql, column, wanted, after=start_of_page(0), until_page=9, count=9)
    changed = msgspec.structs.replace(text, sealed=text.sealed + b"x")
    moved = msgspec.structs.replace(text, place=start_of_page(0))
    assert await seal_anew(api.sql, column, [(changed, b"new"), (moved, b"new")], key_id=2) == 0
    assert await seal_anew(api.sql, column, [(text, text.sealed)], key_id=2) == 1


async def test_setting_changes_what_is_sealed_from_now_on(api: Api) -> None:
    now = (await api.node.reads.business_now()).now
    keyring = Keyring(bytes(32))
    await adopt_sealing(api.sql, keyring, None, now=now)
    assert (keyring.field_key, keyring.index_hash) == (FIRST_FIELD_KEY, HashAlgorithm.SHA256)
    await adopt_sealing(api.sql, keyring, CRYPTO_PROFILES["sm"], now=now)
    assert keyring.field_key == FieldKey(2, FieldCipher.SM4_GCM)
    assert keyring.index_hash is HashAlgorithm.SHA256, "what is indexed already is found by what it was indexed with"
    assert await api.sql.fetchval("SELECT DISTINCT hash_algorithm FROM audit_chain") == HashAlgorithm.SM3
    await adopt_sealing(api.sql, keyring, CRYPTO_PROFILES["sm"], now=now)
    assert await api.sql.fetchval("SELECT count(*) FROM field_key") == 2
    await follow_sealing(api.node.pool, api.node.keyring)
    # The node goes on, with both.
    await open_register(api)
    who = await issued(api, 1, level=2)
    assert (await api.get(who.path, caller="channel")).status == 200
    assert await headers(api.sql, PERSONS[1]) == {person_header(FieldCipher.SM4_GCM)}
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert (report.violation, report.counts.accesses >= 1) == (None, True)


async def test_new_database_is_indexed_as_the_setting_says(sql: asyncpg.Connection) -> None:
    keyring, now = Keyring(bytes(32)), await sql.fetchval("SELECT now()")
    await adopt_sealing(sql, keyring, CRYPTO_PROFILES["sm"], now=now)
    assert keyring.index_hash is HashAlgorithm.SM3
    await adopt_sealing(sql, keyring, CRYPTO_PROFILES["international"], now=now)
    assert (keyring.index_hash, keyring.field_key) == (HashAlgorithm.SM3, FieldKey(3, FieldCipher.AES_256_GCM))


async def test_every_sealed_column_is_known(sql: asyncpg.Connection) -> None:
    rows = await sql.fetch(
        "SELECT a.attrelid::regclass::text AS table, a.attname AS column FROM pg_attribute a"
        "  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        " WHERE a.atttypid = 'bytea'::regtype AND NOT a.attisdropped AND a.attname !~ '(_index|_hash|_sha256)$'"
        "   AND EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = a.attrelid AND k.attname = 'field_key_id')"
    )
    found = {(row["table"], row["column"]) for row in rows}
    known = {(column.table, column.column) for column in SEALED_COLUMNS}
    assert found - NOT_SEALED - known == set()
    # One more has no key's number beside it: it is there for a moment only.
    assert known - found == {("import_line", "secret")}
    assert found >= NOT_SEALED


def test_setting_is_one_of_two() -> None:
    assert crypto_profile({}) is None
    assert crypto_profile({"ENGINE_CRYPTO": "sm"}) == CRYPTO_PROFILES["sm"]
    with pytest.raises(WrongSetting):
        crypto_profile({"ENGINE_CRYPTO": "rot13"})
