"""What is known of a person is in no log line, no problem, no address and no repr, whatever goes wrong."""

import msgspec
from structlog.testing import capture_logs

from engine.core.card_records import read_record
from engine.flows.card_register import CardRegister, GivenIdentity
from engine.store.persons import load_card
from tests.people import HEADER, TODAY, person
from tests.web.api import Api, Reply
from tests.web.register import account_of, bring_in, give_password, issue, issued, open_register, phone_of, sealed

PROOF = "household_register:" + "5f" * 32
PEOPLE = range(1, 7)


async def everything(api: Api) -> list[Reply]:
    """Every request that personal data come in with, answered with yes and with no."""
    who, ward = await issued(api, 1, level=2), await bring_in(api, 2)
    await give_password(api, who)
    stranger, wrong = person(3), {"id_number": person(4).id_number[:17] + "?"}
    replies = [
        await api.post("/v1/cards", stranger.record(**wrong), caller="alpha"),
        await api.post("/v1/cards", stranger.record(region="990101"), caller="alpha"),
        await api.post("/v1/cards", stranger.record(card_no=who.person.card_no), caller="alpha"),
        await api.post("/v1/cards", who.person.record(name=stranger.name), caller="alpha"),
        await api.post("/v1/cards", stranger.record(surprise=stranger.id_number), caller="alpha"),
        await api.post("/v1/cards", stranger.record(phone=5), caller="alpha"),
        await api.post("/v1/cards", msgspec.json.encode(stranger.record())[:-2], caller="alpha"),
        await api.post("/v1/cards", stranger.record(), caller="channel"),
        await api.post("/v1/cards/search", stranger.identity, caller="channel"),
        await api.post("/v1/cards/search", {"id_number": stranger.id_number}, caller="alpha"),
        await api.post("/v1/cards/search", who.person.identity | wrong, caller="channel"),
        await api.post("/v1/cards/search", who.person.identity, caller="channel"),
        await api.post(f"{who.path}/signs", ward.person.identity, caller="channel-2"),
        await api.post(f"{who.path}/level-2", account_of(who, bank_account=stranger.account), caller="channel"),
        await api.post(f"{who.path}/replace", {**a_new_card(ward.person.card_no)}, caller="alpha"),
        await api.post(f"{who.path}/replace", {**a_new_card(stranger.card_no[:-1] + "?")}, caller="alpha"),
        await api.post(
            f"{who.path}/relatives",
            {**ward.person.identity, "relation": "child", "proof": PROOF, "expires_on": "2020-01-01"},
            caller="channel",
        ),
        await api.post("/v1/cards/import", f"{HEADER}\n{stranger.line(**wrong)}\n".encode(), caller="alpha"),
        await api.post(
            f"{who.path}/cancel", {"password_block": await sealed(api, f"{who.id}/cancel", "123450")}, caller="channel"
        ),
        await api.get(who.path, caller="channel"),
        await api.get(who.path, caller="alpha"),
        await issue(api, ward, channel="channel-2"),
    ]
    phone = await phone_of(api, who)
    replies += [
        await api.get(f"{who.path}/devices", caller="channel"),
        await api.pay(pay_code=phone.pay_code(api, 0)),
        await api.pay(pay_code=phone.pay_code(api, 0)),
    ]
    return replies


def a_new_card(card_no: str) -> dict[str, object]:
    """The body of a replacement."""
    return {"card_no": card_no, "issued_on": "2026-11-01", "valid_until": "2036-11-01", "reason": "old"}


async def test_nothing_of_a_person_is_in_a_log_line_or_an_answer(api: Api) -> None:
    await open_register(api)
    with capture_logs() as logs:
        replies = await everything(api)
    assert {reply.status // 100 for reply in replies} == {2, 4}
    kept = [repr(line) for line in logs] + [reply.body.decode() for reply in replies]
    assert len(logs) >= 15
    secrets = [secret for n in PEOPLE for secret in person(n).secrets]
    assert [secret for secret in secrets for text in kept if secret in text] == []
    # The key of a phone is in one answer, which is not among these.
    assert not [text for text in kept if "totp_key" in text]


async def test_nothing_of_a_person_is_in_a_repr(api: Api) -> None:
    await open_register(api)
    who = await bring_in(api, 1)
    card = await load_card(api.sql, who.card)
    assert card is not None
    register = CardRegister(api.node.pool, api.node.keyring, api.node.ids)
    texts = {name: str(value) for name, value in who.person.record().items()}
    shown = [
        card,
        register.holder(card),
        GivenIdentity(id_number=who.person.id_number, name=who.person.name, card_no=who.person.card_no),
        read_record(texts, today=TODAY),
    ]
    assert not [secret for secret in who.person.secrets for one in shown if secret in f"{one!r} {one}"]
