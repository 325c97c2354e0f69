"""A person's data: handed out to who says what for, and erased by two, for good, with the books as provable as ever."""

from datetime import timedelta

import pytest

from engine.codes.field_keys import Erased, FieldCipher, without_key
from engine.flows.personal_data import erase
from engine.flows.personal_data.rotate import Rotation, next_field_key
from engine.flows.personal_data.sealing import follow_sealing
from engine.flows.verify_books import verify_books
from engine.store.persons import NAME_PLACE, load_card
from tests.people import person
from tests.web.api import Api, Reply
from tests.web.operators import approve
from tests.web.register import Carried, bring_in, issued, open_register

WHY = "?purpose=complaint%20C-17"


async def exported(api: Api, who: Carried, query: str = WHY, caller: str = "gamma") -> Reply:
    """What an operator is handed out."""
    return await api.get(f"{who.path}/personal-data{query}", caller=caller)


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
    # Nor by who has a copy of the row: what was sealed under the key stays sealed.
    after = await load_card(api.sql, who.card)
    assert after is not None
    for sealed in (after.name, without_key(before.name)[1]):
        with pytest.raises(Erased):
            api.node.keyring.unseal(sealed, place=NAME_PLACE)
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
