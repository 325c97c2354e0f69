"""The client of a channel: a person's way through an app, each step as the engine takes it."""

from datetime import UTC, date, datetime

import msgspec
import pytest
import pytest_asyncio

from engine.client import Refused
from engine.client.channel import ChannelClient
from engine.client.conformance import NotOurAddress, has_passed, play_run
from engine.client.credentials import Credentials
from engine.core.applications import ApplicationKind
from engine.core.consents import Scope
from engine.core.ids import CallerId, id_text
from engine.core.passkeys import REGISTER
from engine.web.channels.wire_conformance import ConformanceCaseView, ConformanceRunView
from tests.agencies import an_agency
from tests.people import BANK
from tests.web.api import SECRET, Api
from tests.web.channel_player import Player
from tests.web.inquiries import PURPOSE, grant
from tests.web.register import PASSWORD, WRONG, Carried, bring_in, give_password, open_register
from tests.web.test_channels import application
from tests.web.test_oidc import asked, portal_of, registered
from tests.web.webhook_receiver import Receiver

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register, a portal's operators, and a grant of everything."""
    await open_register(city)
    return city


async def channel_id(api: Api) -> CallerId:
    """The first channel's id."""
    return CallerId(await api.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'"))


async def opened(api: Api) -> ChannelClient:
    """The first channel's client."""
    credentials = Credentials.load(keyid="channel", alg="hmac-sha256", key=SECRET)
    return ChannelClient(str(api.base_url), credentials, channel_id=id_text(await channel_id(api)))


def shown(who: Carried) -> dict[str, str]:
    """What a person shows to be found."""
    return {name: str(value) for name, value in who.person.identity.items()}


async def test_card_is_found_issued_let_pay_and_shown_on_a_phone(desk: Api) -> None:
    who = await bring_in(desk, 1)
    async with await opened(desk) as channel:
        found = await channel.find_card(**shown(who))
        assert found.id == who.id
        sign = await channel.issue(found.id, **shown(who))
        assert (sign.sign_level, sign.channel_id) == (1, channel.channel_id)
        enabled = await channel.enable_payment(
            found.id, bank=BANK, bank_account=str(who.person.account), phone=str(who.person.phone)
        )
        assert enabled.issue_level == 2
        phone = await channel.register_device(found.id, key="phone-1")
        assert await channel.register_device(found.id, key="phone-1") == phone
        assert [one.device_no for one in (await channel.devices(found.id)).items] == [phone.device_no]
        assert (await channel.card(found.id)).signs[0].sign_no == sign.sign_no
        await give_password(desk, who)
        ended = await channel.unlink(found.id, sign.sign_no, act=PASSWORD)
        assert ended.unlinked_at is not None


async def a_person(api: Api, n: int) -> Carried:
    """Somebody with a card in the app, and a password."""
    who = await bring_in(api, n)
    await give_password(api, who)
    async with await opened(api) as channel:
        await channel.issue(who.id, **shown(who))
    return who


async def test_consent_lets_look_until_it_is_taken_back(desk: Api) -> None:
    who = await a_person(desk, 2)
    for holder in (await channel_id(desk), await an_agency(desk.sql, desk.world)):
        await grant(desk, holder, ["social_insurance"])
    async with await opened(desk) as channel:
        with pytest.raises(Refused, match="consent-required"):
            await channel.inquire(Scope.SOCIAL_INSURANCE, who.id, purpose=PURPOSE)
        wish = {"scopes": [Scope.SOCIAL_INSURANCE], "purpose": PURPOSE, "valid_until": date(2027, 1, 31)}
        with pytest.raises(Refused, match="password-incorrect"):
            await channel.give_consent(who.id, **wish, act=WRONG)  # type: ignore[arg-type]  # a dict of them
        (given,) = await channel.give_consent(who.id, **wish, act=PASSWORD)  # type: ignore[arg-type]  # as above
        assert [one.id for one in (await channel.consents(who.id)).items] == [given.id]
        page = await channel.inquire(Scope.SOCIAL_INSURANCE, who.id, purpose=PURPOSE)
        assert msgspec.structs.asdict(page)["items"] == ()
        assert (await channel.withdraw_consent(given.id, act=PASSWORD)).status == "revoked"


async def test_login_is_scanned_and_confirmed_or_not(desk: Api) -> None:
    who, portal = await a_person(desk, 3), portal_of(desk, await registered(desk))
    async with await opened(desk) as channel:
        yes, no = await asked(portal), await asked(portal)
        assert (await channel.scan_login(yes.token, who.id)).scopes == ("openid", "profile")
        agreed = await channel.confirm_login(yes.token, who.id, scopes=["openid"], act=PASSWORD)
        assert (agreed.status, agreed.agreed_scopes) == ("confirmed", ("openid",))
        await channel.scan_login(no.token, who.id)
        assert (await channel.cancel_login(no.token, who.id)).status == "cancelled"


async def test_application_is_drafted_handed_in_and_taken_back(desk: Api) -> None:
    who, agency = await a_person(desk, 4), await an_agency(desk.sql, desk.world)
    await desk.sql.execute(
        "INSERT INTO application_office VALUES ($1, $2, $3, $3, now(), NULL, NULL)",
        ApplicationKind.TALENT,
        110000,
        agency,
    )
    form = {"from_keeper": "甲", "to_keeper": "乙", "reason": "moved", "phone": "15400000001"}
    async with await opened(desk) as channel:
        draft = await channel.draft_application(who.id, item="archive_transfer", form=form)
        assert (draft.status, draft.office_id) == ("draft", id_text(agency))
        assert (await channel.submit_application(draft.id, act=PASSWORD)).status == "submitted"
        assert (await channel.withdraw_application(draft.id, act=PASSWORD)).status == "withdrawn"
        assert (await channel.application(draft.id)).status == "withdrawn"
        assert [one.id for one in (await channel.applications(item="archive_transfer")).items] == [draft.id]


async def test_passkey_is_begun_with_by_password(desk: Api) -> None:
    who = await a_person(desk, 5)
    async with await opened(desk) as channel:
        made = await channel.registration_options(who.id, act=PASSWORD)
        assert made.options.challenge
        signed = await channel.assertion_options(who.id, act=REGISTER, bound_to=who.id)
        assert signed.options.challenge != made.options.challenge


async def test_run_is_not_played_where_nobody_would_hear_of_it(desk: Api) -> None:
    body = application(Receiver(), callback_urls=["https://1.1.1.1/hook"])
    player = Player(desk, await desk.post("/v1/channels", body, caller="alpha"))
    async with player.client() as channel:
        with pytest.raises(NotOurAddress):
            await play_run(channel)


async def test_run_is_passed_when_every_case_is() -> None:
    case = ConformanceCaseView(case="busy", part="function", task="", status="passed", finding="")
    run = ConformanceRunView(id="", channel_id="", callback_url="", opened_at=datetime.now(UTC), cases=(case, case))
    assert has_passed(run)
    for status in ("open", "failed"):
        other = msgspec.structs.replace(case, status=status)
        assert not has_passed(msgspec.structs.replace(run, cases=(case, other)))
