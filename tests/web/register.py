"""Cards of the register, as channels and operators work with them."""

import base64

import msgspec

from engine.client.passwords import PasswordSealer
from engine.codes.password_hash import SALT_BYTES, hash_password
from engine.codes.pay_code import STEP_S, pay_code_at
from engine.core.ids import CallerId, CardId, IdKind, parse_id
from engine.sandbox.card_secrets import SANDBOX_COST
from tests.builders import an_id
from tests.people import BANK, OTHER_BANK, Person, person
from tests.web.api import Api, Json, Reply
from tests.web.operators import add_keys, add_operators

PASSWORD, WRONG = "704192", "704193"


async def open_register(api: Api) -> None:
    """Operators, a second channel, and banks that issue cards."""
    await add_operators(api)
    await add_keys(api, {"channel-2": CallerId(an_id(IdKind.CHANNEL))})
    await api.sql.copy_records_to_table(
        "bank",
        records=[(an_id(IdKind.BANK), int(cnaps), f"银行{cnaps}", cnaps, False, None) for cnaps in (BANK, OTHER_BANK)],
    )


class Carried(msgspec.Struct, frozen=True):
    """A person whose card is in the register."""

    person: Person
    id: str

    @property
    def path(self) -> str:
        """The card's path."""
        return f"/v1/cards/{self.id}"

    @property
    def card(self) -> CardId:
        """The card."""
        return CardId(parse_id(self.id, IdKind.CARD))


async def bring_in(api: Api, n: int, **changes: object) -> Carried:
    """The *n*-th person's card comes into the register."""
    reply = await api.post("/v1/cards", person(n).record(**changes), caller="alpha")
    assert reply.status == 201, reply.body
    return Carried(person(n), str(reply["id"]))


async def issue(api: Api, who: Carried, *, channel: str = "channel") -> Reply:
    """The channel issues the electronic card."""
    reply = await api.post(f"{who.path}/signs", who.person.identity, caller=channel)
    assert reply.status == 201, reply.body
    return reply


def account_of(who: Carried, **changes: object) -> Json:
    """The body that lets the card pay."""
    return {"bank": BANK, "bank_account": who.person.account, "phone": who.person.phone, **changes}


async def issued(api: Api, n: int, *, level: int = 1) -> Carried:
    """The *n*-th person's card, issued on the first channel."""
    who = await bring_in(api, n)
    await issue(api, who)
    if level == 2:
        enabled = await api.post(f"{who.path}/level-2", account_of(who), caller="channel")
        assert (enabled.status, enabled["issue_level"]) == (200, 2), enabled.body
    return who


class Phone(msgspec.Struct, frozen=True):
    """A phone that shows codes by what it was handed over, and nothing else."""

    device_no: int
    key: bytes

    def pay_code(self, api: Api, n: int) -> str:
        """The *n*-th of twenty codes, ten of this step and ten of the one before."""
        return pay_code_at(self.key, self.device_no, n % 10, api.node.clock.business_s() - n // 10 * STEP_S)


async def phone_of(api: Api, who: Carried) -> Phone:
    """A phone that the channel registers."""
    reply = await api.post(f"{who.path}/devices", caller="channel")
    assert reply.status == 201, reply.body
    return Phone(int(str(reply["device_no"])), base64.b64decode(str(reply["totp_key"])))


async def give_password(api: Api, who: Carried) -> None:
    """The card has a password."""
    await api.sql.execute(
        "INSERT INTO card_password VALUES ($1, 1, $2, now())",
        who.card,
        hash_password(
            PASSWORD,
            card=who.card,
            pepper=api.node.keyring.password_pepper,
            salt=bytes(SALT_BYTES),
            cost=SANDBOX_COST,
        ),
    )
    await api.sql.execute("UPDATE payer SET password_version = 1 WHERE id = $1", who.card)


async def sealed(api: Api, about: str, password: str = PASSWORD) -> str:
    """The password, sealed for what it agrees to."""
    keys = await api.send("GET", "/v1/keys")
    return PasswordSealer(keys.body).seal(password, order_no=about)
