"""A person's data: handed out to who says what for, and erased by two, for good, with the books as provable as ever."""

from contextlib import suppress
from datetime import timedelta

import pytest

from engine.codes.field_keys import Erased, FieldCipher, without_key
from engine.core.ids import IdKind
from engine.flows.passkeys.desk import LABEL_PLACE
from engine.flows.personal_data import erase
from engine.flows.personal_data.rotate import Rotation, next_field_key
from engine.flows.personal_data.sealing import follow_sealing
from engine.flows.verify_books import verify_books
from engine.store.applications import FORM_PLACE, NOTE_PLACE
from engine.store.applications_attachments import PART_PLACE
from engine.store.persons import NAME_PLACE, load_card
from tests.builders import an_id
from tests.people import person
from tests.web.api import Api, Reply, nobodys_id
from tests.web.operators import approve
from tests.web.register import Carried, bring_in, give_password, issued, open_register, sealed
from tests.web.test_passkeys import with_passkey

WHY = "?purpose=complaint%20C-17"


async def exported(api: Api, who: Carried, query: str = WHY, caller: str = "gamma") -> Reply:
    """What an operator is handed out."""
    return await api.get(f"{who.path}/personal-data{query}", caller=caller)


async def an_old_application(api: Api, who: Carried) -> None:
    """The person has applied for something before persons had keys: it is under a field key."""
    keyring, ids, office = api.node.keyring, api.node.ids, api.world.banks[0]
    application, attachment = an_id(IdKind.APPLICATION), an_id(IdKind.UPLOAD)
    form, note, part = (
        keyring.seal(b"written", place=place, nonce=ids.nonce()) for place in (FORM_PLACE, NOTE_PLACE, PART_PLACE)
    )
    await api.sql.execute(
        "INSERT INTO application (id, item, kind, person, card, region, channel, office, state, form, field_key_id,"
        " created_at, changed_at) SELECT $1, 'credit', 6, c.person, c.id, c.region, $3, $3, 9, $4, 1, now(), now()"
        " FROM card c WHERE c.id = $2",
        application,
        who.card,
        office,
        form,
    )
    await api.sql.execute(
        "INSERT INTO application_step (application, n, move, state, by, at, note, field_key_id)"
        " VALUES ($1, 1, 10, 9, $2, now(), $3, 1)",
        application,
        office,
        note,
    )
    await api.sql.execute(
        "INSERT INTO application_attachment (id, application, started_at) VALUES ($1, $2, now())",
        attachment,
        application,
    )
    await api.sql.execute(
        "INSERT INTO application_attachment_part (attachment, part, bytes, field_key_id) VALUES ($1, 0, $2, 1)",
        attachment,
        part,
    )


async def readable(api: Api) -> list[str]:
    """What the node's keys open of what is kept beside the register, without any person's."""
    told = []
    for table, column, place in (
        ("passkey", "label", LABEL_PLACE),
        ("passkey_link", "label", "passkey_link.label"),
        ("application", "form", FORM_PLACE),
        ("application_step", "note", NOTE_PLACE),
        ("application_attachment_part", "bytes", PART_PLACE),
    ):
        for row in await api.sql.fetch(f"SELECT {column} AS sealed FROM {table}"):  # noqa: S608  # names from above
            with suppress(Erased):
                told.append(api.node.keyring.unseal(row["sealed"], place=place).decode())
    return told


async def test_export_wants_a_purpose_and_a_right_and_every_try_is_noted(api: Api) -> None:
    await open_register(api)
    who = await issued(api, 1, level=2)
    assert (await exported(api, who, "")).refused == (403, "purpose-required")
    assert (await exported(api, who, caller="delta")).refused == (403, "scope-not-authorized")
    assert (await exported(api, who, caller="shanghai")).refused == (403, "region-not-permitted")
    assert (await exported(api, who, caller="channel")).status == 404
    given = await exported(api, who)
    assert given.status == 200
    assert given.headers["Cache-Control"] == "no-store"
    assert {given[name] for name in ("name", "id_number", "phone", "card_no", "bank_account")} == set(
        who.person.secrets
    )
    rows = await api.sql.fetch(
        "SELECT purpose, result FROM audit_entry WHERE action = 'personal_data.export' AND subject = $1 ORDER BY n",
        who.card,
    )
    assert [tuple(row) for row in rows] == [
        (None, "purpose-required"),
        ("complaint C-17", "scope-not-authorized"),
        ("complaint C-17", "region-not-permitted"),
        ("complaint C-17", "allowed"),
    ]


async def test_person_is_erased_by_two_when_it_is_due_and_nothing_else_changes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_register(api)
    who, other = await issued(api, 1, level=2), await bring_in(api, 2)
    await give_password(api, who)
    await with_passkey(api, who)
    link = {"card_id": who.id, "label": "王芳的手机", "password_block": await sealed(api, f"{who.id}/register_passkey")}
    opened = await api.post("/v1/identity/passkeys/links", link, caller="channel")
    assert opened.status == 201, opened.body
    await an_old_application(api, who)
    before = await load_card(api.sql, who.card)
    assert before is not None
    for_good = {"reason": "the time is over"}
    early = await api.post(f"{who.path}/erase", for_good, caller="alpha")
    assert early.refused == (409, "erasure-not-due")
    assert (await api.post(f"{who.path}/cancel", {"reason": "died"}, caller="alpha")).status == 200
    assert (await api.post(f"{who.path}/erase", for_good, caller="alpha")).refused == (409, "erasure-not-due")
    assert (await api.post(f"{who.path}/erase", for_good, caller="channel")).status == 404
    monkeypatch.setattr(erase, "KEPT", timedelta(0))  # a sandbox that is moved by ten years closes every day of them

    # A card that is in use keeps its person, however old it is.
    assert (await api.post(f"{other.path}/erase", for_good, caller="alpha")).refused == (409, "erasure-not-due")
    asked = await api.post(f"{who.path}/erase", for_good, caller="alpha")
    assert (await api.post(f"/v1/approvals/{asked['id']}/approve", caller="alpha")).status == 403
    assert (await exported(api, who))["name"] == who.person.name
    approved = await approve(api, asked)
    assert (approved.status, approved["outcome"]) == (200, "done"), approved.body

    # It is told as erased wherever it was shown, and found no more.
    seen = await api.get(who.path, caller="alpha")
    assert {seen[name] for name in ("name", "id_number", "phone", "card_no", "bank_account")} == {"erased"}
    assert (await exported(api, who))["id_number"] == "erased"
    found = await api.post("/v1/cards/search", {"id_number": who.person.id_number}, caller="alpha")
    assert found.status == 404
    assert (await api.get(other.path, caller="alpha"))["name"] != "erased"
    for query in ("", f"&department_id={nobodys_id(IdKind.AGENCY)}"):
        looked = await api.get(f"/v1/inquiry/employment?card_id={who.id}&purpose=complaint{query}", caller="channel")
        assert looked.refused == (403, "card-not-usable"), looked.body
    # Nor what the person has called a phone, or has written before there was a key of the person's own.
    assert await readable(api) == ["erased"]
    # Nor by who has a copy of the row: what was sealed under the key stays sealed.
    after = await load_card(api.sql, who.card)
    assert after is not None
    for text in (after.name, without_key(before.name)[1]):
        with pytest.raises(Erased):
            api.node.keyring.unseal(text, place=NAME_PLACE)
    again = await api.post(f"{who.path}/erase", for_good, caller="alpha")
    assert again.refused == (409, "erasure-not-due")

    # A rotation passes it over, the number may come in again as somebody new, and everything can be proven.
    now = (await api.node.reads.business_now()).now
    await next_field_key(api.sql, FieldCipher.SM4_GCM, now=now)
    await follow_sealing(api.node.pool, api.node.keyring)
    rotation = Rotation(api.node.pool, api.node.keyring, api.node.ids, now=now, progress=lambda *_: None)
    assert (await rotation.rotate()).left == {}
    assert (await api.get(who.path, caller="alpha"))["name"] == "erased"
    back = await api.post("/v1/cards", person(1).record(card_no=person(3).card_no), caller="alpha")
    assert (back.status, back["id"] != who.id) == (201, True), back.body
    assert await api.sql.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'personal_data.erase'") == 1
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None
