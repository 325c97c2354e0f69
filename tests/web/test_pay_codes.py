"""A code pays once, within its minute, for a card that may pay; everything else is told apart, and guessing is slow."""

import secrets

import pytest

from engine.codes.consumer_qr import encode_consumer_qr
from engine.codes.pay_code import device_key, pay_code_at
from engine.hints.attempts import WINDOW_S, WRONG_MAX
from engine.sandbox.camera import scan
from tests.web.api import Api, Json, Reply, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEP_S = 30


def step_start(api: Api) -> float:
    """The instant at which the current step of 30 seconds began."""
    return api.clock.wall_s() // STEP_S * STEP_S


def with_digit_changed(code: str) -> str:
    """The same code with a wrong one-time value, and a check digit that fits it."""
    body = code[:22] + str((int(code[22]) + 1) % 10)
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(body)]
    return body + str(-sum(sum(divmod(value, 10)) for value in doubled) % 10)


async def pay_at(api: Api, code: str, at_s: float) -> Reply:
    """A payment by this code that arrives at this instant."""
    with api.clock.held(at_s):
        return await api.pay(pay_code=code)


@pytest.mark.parametrize(
    ("made_at_s", "arrives_at_s", "status"),
    [
        (0.0, 0.0, 201),
        (0.0, 29.999, 201),
        (0.0, 30.0, 201),
        (0.0, 59.999, 201),
        (0.0, 60.0, 410),
        (29.999, 59.999, 201),
        (29.999, 60.0, 410),  # after 30 seconds and a moment: a code lives until the step after its own is over
        (0.0, 359.999, 410),
        (0.0, 360.0, 422),  # too old to be told from a guess
        (30.0, 29.999, 422),  # of a phone that is ahead: it would outlive its minute
    ],
)
async def test_code_lives_until_the_step_after_its_own_is_over(
    city: Api, made_at_s: float, arrives_at_s: float, status: int
) -> None:
    start = step_start(city)
    with city.clock.held(start + made_at_s):
        code = city.pay_code()
    reply = await pay_at(city, code, start + arrives_at_s)
    expected = {201: None, 410: "pay-code-expired", 422: "pay-code-wrong"}[status]
    assert reply.refused == (status, expected)


async def test_late_code_is_on_record_and_leaves_the_order_free(city: Api) -> None:
    sent = city.payment(pay_code=city.pay_code(age_s=90))
    reply = await city.pay(sent)
    assert reply.refused == (410, "pay-code-expired")
    attempt = await city.get(f"/v1/payments/{reply['payment_id']}")
    assert (attempt["status"], attempt["declined_code"]) == ("declined", "pay-code-expired")
    assert (await city.pay(sent | {"pay_code": city.pay_code()})).status == 201


async def test_code_is_good_once(city: Api) -> None:
    sent = city.payment()
    assert (await city.pay(sent)).status == 201
    for caller in ("merchant-0", "merchant-1"):
        again = await city.pay(sent | {"order_no": a_key()}, caller=caller)
        assert again.refused == (409, "pay-code-used")


async def test_refresh_digit_lets_a_person_pay_twice_in_one_step(city: Api) -> None:
    with city.clock.held(step_start(city)):
        codes = [city.pay_code(card=1, refresh=refresh) for refresh in (3, 4)]
        replies = [await city.pay(pay_code=code) for code in codes]
    assert [reply.status for reply in replies] == [201, 201]


async def test_declined_code_may_be_shown_again(city: Api) -> None:
    sent = city.payment(amount=10_000_000)
    assert (await city.pay(sent)).refused == (402, "insufficient-funds")
    assert (await city.pay(sent | {"amount": 500})).status == 201


@pytest.mark.parametrize("damage", ["short", "long", "letter", "full-width", "spaced", "check digit", "sign", "junk"])
async def test_code_that_cannot_be_read_is_malformed(city: Api, damage: str) -> None:
    code = city.pay_code()
    damaged = {
        "short": code[:-1],
        "long": code + "0",
        "letter": "O" + code[1:],
        "full-width": "９" + code[1:],
        "spaced": code[:12] + " " + code[12:],
        "check digit": code[:-1] + str((int(code[-1]) + 1) % 10),
        "sign": "-" + code[1:],
        "junk": "\0\ufffd" * 100,
    }[damage]
    reply = await city.pay(pay_code=damaged)
    assert (reply.refused, reply.pointers) == ((422, "pay-code-malformed"), ["/pay_code"])


@pytest.mark.parametrize(
    "code",
    ["134567890123456789", "2812345678901234", "281234567890123456789012", "fp" + "a" * 33, "6212345678901234567"],
    ids=["WeChat", "Alipay of 16", "Alipay of 24", "Alipay face", "UnionPay"],
)
async def test_code_of_another_scheme_is_foreign(city: Api, code: str) -> None:
    reply = await city.pay(pay_code=code)
    assert (reply.refused, reply.pointers) == ((422, "pay-code-foreign"), ["/pay_code"])


@pytest.mark.parametrize(("before", "after"), [("", "\r\n"), ("]C1", ""), ("]Q3", "\t"), ("]C1", "\r")])
async def test_what_a_scanner_adds_is_taken_off(city: Api, before: str, after: str) -> None:
    assert (await city.pay(pay_code=f"{before}{city.pay_code()}{after}")).status == 201


async def test_wrong_code_is_nobodys(city: Api) -> None:
    sent = city.payment(pay_code=with_digit_changed(city.pay_code()))
    reply = await city.pay(sent)
    assert (reply.refused, reply.pointers) == ((422, "pay-code-wrong"), ["/pay_code"])
    assert "payment_id" not in reply.json
    assert (await city.get(f"/v1/payments?order_no={sent['order_no']}")).items == []


async def test_code_of_a_phone_that_nobody_registered_is_wrong(city: Api) -> None:
    key = device_key(city.node.keyring.device_master, 1, 99_999_999_999)
    reply = await city.pay(pay_code=pay_code_at(key, 99_999_999_999, 0, city.clock.business_s()))
    assert reply.refused == (422, "pay-code-wrong")


async def test_text_of_the_qr_code_pays(city: Api) -> None:
    assert (await city.pay(pay_code=encode_consumer_qr(city.pay_code(), 1))).status == 201


async def test_qr_code_and_digits_are_one_code(city: Api) -> None:
    key, sent = a_key(), city.payment()
    in_qr = sent | {"pay_code": encode_consumer_qr(str(sent["pay_code"]), 1)}
    assert (await city.pay(sent, key=key)).status == 201
    assert (await city.pay(in_qr, key=key)).is_replay
    assert (await city.pay(in_qr | {"order_no": a_key()})).refused == (409, "pay-code-used")


@pytest.mark.parametrize("shape", ["qr", "code128"])
async def test_picture_of_a_code_can_be_scanned_and_pays(city: Api, shape: str) -> None:
    picture = await city.get(f"{city.card_path(2)}/pay-code.png?as={shape}")
    assert (picture.headers["Content-Type"], picture.headers["Cache-Control"]) == ("image/png", "no-store")
    assert (await city.pay(pay_code=scan(picture.body))).status == 201


async def test_phone_shows_another_code_each_time(city: Api) -> None:
    pictures = [await city.get(f"{city.card_path(3)}/pay-code.svg") for _ in range(3)]
    assert {200} == {picture.status for picture in pictures}
    assert len({picture.body for picture in pictures}) == 3


@pytest.mark.parametrize(
    ("card", "suffix", "refused"),
    [
        ("a card", "svg?as=ean13", (400, "field-invalid")),
        ("a card", "svg?size=5", (400, "unknown-field")),
        ("a card", "gif", (404, "not-found")),
        ("nobody's", "svg", (404, "not-found")),
    ],
)
async def test_picture_that_there_is_not(city: Api, card: str, suffix: str, refused: tuple[int, str]) -> None:
    path = city.card_path() if card == "a card" else "/v1/cards/card_00000000000000000000000000"
    assert (await city.get(f"{path}/pay-code.{suffix}")).refused == refused


@pytest.mark.parametrize(
    ("change", "undo", "refused"),
    [
        ("UPDATE payer SET status = 3", "UPDATE payer SET status = 1", "card-not-usable"),
        ("UPDATE payer SET status = 5", "UPDATE payer SET status = 1", "card-not-usable"),
        ("UPDATE payer SET issue_level = 1", "UPDATE payer SET issue_level = 2", "payment-not-enabled"),
        ("UPDATE device SET is_revoked = true", "UPDATE device SET is_revoked = false", "device-revoked"),
        ("UPDATE merchant SET is_suspended = true", "UPDATE merchant SET is_suspended = false", "merchant-suspended"),
        ("UPDATE merchant SET scenarios = '{1}'", "UPDATE merchant SET scenarios = '{1,2}'", "scenario-not-enabled"),
    ],
)
async def test_who_may_not_pay_or_be_paid(city: Api, change: str, undo: str, refused: str) -> None:
    await city.sql.execute(change)
    try:
        assert (await city.pay()).refused == (403, refused)
    finally:
        await city.sql.execute(undo)


async def test_terminal_that_is_not_registered_is_refused(city: Api) -> None:
    assert (await city.pay(terminal_id="T-77")).refused == (403, "terminal-unknown")


class Till:
    """A terminal of merchant-1, which nobody else uses."""

    def __init__(self, api: Api, terminal_id: str) -> None:
        """Use `new_till`."""
        self.api = api
        self.terminal_id = terminal_id

    def payment(self, **changes: object) -> Json:
        """A payment at this terminal."""
        return self.api.payment(terminal_id=self.terminal_id, **changes)

    async def pay(self, **changes: object) -> Reply:
        """Pay at this terminal."""
        return await self.api.pay(self.payment(**changes), caller="merchant-1")

    async def guess(self, times: int) -> None:
        """Show wrong codes."""
        for _ in range(times):
            wrong = await self.pay(pay_code=with_digit_changed(self.api.pay_code()))
            assert wrong.refused == (422, "pay-code-wrong")


async def new_till(api: Api) -> Till:
    """A terminal that is registered."""
    terminal_id = f"T-{secrets.token_hex(4)}"
    await api.sql.execute("INSERT INTO terminal VALUES ($1, $2)", api.world.merchants[1], terminal_id)
    return Till(api, terminal_id)


async def test_too_many_wrong_codes_stop_a_terminal_for_a_minute(city: Api) -> None:
    till, other = await new_till(city), await new_till(city)
    await till.guess(WRONG_MAX)
    sent, key = till.payment(), a_key()
    stopped = await city.pay(sent, caller="merchant-1", key=key)
    assert stopped.refused == (429, "too-many-attempts")
    assert (stopped.headers["Retry-After"], stopped["retryable"]) == ("60", True)
    assert (await other.pay()).status == 201
    city.clock.ahead_s += WINDOW_S
    again = await city.pay(sent, caller="merchant-1", key=key)
    assert (again.status, again.is_replay) == (201, False)  # what was too often is not remembered


async def test_one_wrong_code_less_stops_nobody(city: Api) -> None:
    till = await new_till(city)
    await till.guess(WRONG_MAX - 1)
    assert (await till.pay()).status == 201


async def test_same_terminal_number_of_another_merchant_is_another_terminal(city: Api) -> None:
    till = await new_till(city)
    await city.sql.execute("INSERT INTO terminal VALUES ($1, $2)", city.world.merchants[0], till.terminal_id)
    await till.guess(WRONG_MAX)
    assert (await city.pay(till.payment())).status == 201


async def test_repeating_a_request_is_no_further_guess(city: Api) -> None:
    till = await new_till(city)
    sent, key = till.payment(pay_code=with_digit_changed(city.pay_code())), a_key()
    for _ in range(WRONG_MAX + 1):
        assert (await city.pay(sent, caller="merchant-1", key=key)).code == "pay-code-wrong"
    assert (await till.pay()).status == 201


async def test_fetching_old_answers_again_is_no_guessing(city: Api) -> None:
    till = await new_till(city)
    sent, key = till.payment(), a_key()
    assert (await city.pay(sent, caller="merchant-1", key=key)).status == 201
    city.clock.offset_s += 400.0  # the code is now too old to be told from a guess
    for _ in range(WRONG_MAX + 1):
        assert (await city.pay(sent, caller="merchant-1", key=key)).is_replay
    city.clock.offset_s -= 400.0
    assert (await till.pay()).status == 201


async def test_terminal_that_does_not_exist_cannot_guess(city: Api) -> None:
    wrong = with_digit_changed(city.pay_code())
    for _ in range(WRONG_MAX + 1):
        assert (await city.pay(pay_code=wrong, terminal_id="T-88")).code == "terminal-unknown"
