"""The client of a channel: what an app asks the engine for, for the person who holds the phone.

    async with ChannelClient(url, credentials, channel_id="chn_…") as channel:
        card = await channel.find_card(id_number=…, name=…, card_no=…)
        await channel.issue(card.id, id_number=…, name=…, card_no=…)
        await channel.give_consent(card.id, scopes=["social_insurance"], purpose=…, valid_until=…, act="704192")

Where a person has to agree, *act* is the password as it was typed, which is sealed here for just that request, or what
a passkey has signed over a challenge of `assertion_options`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from engine.client.credentials import Credentials
from engine.client.passwords import PasswordSealer
from engine.client.personal_acts import bound_to, sealed
from engine.client.signed_connection import SignedConnection
from engine.core.consents import Scope
from engine.core.inquiry import TOPICS
from engine.web.applications.wire import ApplicationList, ApplicationView, AttachmentView
from engine.web.channels.wire import ChannelView
from engine.web.channels.wire_conformance import CaseName, ConformanceRunView, PracticeView
from engine.web.consents.wire import ConsentList, ConsentView
from engine.web.inquiry.wire import LISTS
from engine.web.login.wire import LoginView, ScopeName
from engine.web.passkeys.credential import NewPasskeyCredential, PasskeyAssertion
from engine.web.passkeys.wire import AssertionOptionsView, CreationOptionsView, PasskeyView
from engine.web.wire import CardView
from engine.web.wire_cards import CardDetails, CardSummary, DeviceList, NewDeviceView, SignView

T = TypeVar("T")
Act = str | PasskeyAssertion


class ChannelClient(SignedConnection):
    """A channel's connection to the engine. Every method raises `Refused`, or `Unreachable` after its last attempt."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        channel_id: str,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        """*channel_id* is the channel's own; *session* is shared if given."""
        super().__init__(base_url, credentials, session=session)
        self.channel_id = channel_id
        self._sealer: PasswordSealer | None = None

    async def channel(self) -> ChannelView:
        """The channel itself, and how far it has come."""
        return await self.get(f"/v1/channels/{self.channel_id}", ChannelView)

    async def find_card(self, *, id_number: str, name: str, card_no: str) -> CardSummary:
        """The card of whoever shows all three; masked."""
        return await self.post("/v1/cards/search", _identity(id_number, name, card_no), CardSummary, None)

    async def card(self, card_id: str) -> CardDetails:
        """A card that this channel has issued."""
        return await self.get(f"/v1/cards/{card_id}", CardDetails)

    async def issue(self, card_id: str, *, id_number: str, name: str, card_no: str, key: str | None = None) -> SignView:
        """Issue the electronic card, level 1."""
        return await self.post(f"/v1/cards/{card_id}/signs", _identity(id_number, name, card_no), SignView, key)

    async def unlink(self, card_id: str, sign_no: str, *, act: Act, key: str | None = None) -> SignView:
        """End what this channel has issued."""
        return await self._agreed(f"/v1/cards/{card_id}/signs/{sign_no}/unlink", {}, act, SignView, key)

    async def enable_payment(
        self, card_id: str, *, bank: str, bank_account: str, phone: str, key: str | None = None
    ) -> CardView:
        """Let the card pay, level 2, once account and telephone number are those that the bank has."""
        body = {"bank": bank, "bank_account": bank_account, "phone": phone}
        return await self.post(f"/v1/cards/{card_id}/level-2", body, CardView, key)

    async def register_device(self, card_id: str, *, key: str | None = None) -> NewDeviceView:
        """Register a phone that shows the card's codes. Its key is in this answer only; the same key finds it again."""
        return await self.post(f"/v1/cards/{card_id}/devices", {}, NewDeviceView, key)

    async def devices(self, card_id: str) -> DeviceList:
        """Every phone of a card."""
        return await self.get(f"/v1/cards/{card_id}/devices", DeviceList)

    async def give_consent(
        self,
        card_id: str,
        *,
        scopes: Iterable[Scope],
        purpose: str,
        valid_until: date,
        act: Act,
        department_id: str | None = None,
        key: str | None = None,
    ) -> tuple[ConsentView, ...]:
        """Keep what the person agrees to: one consent for each scope."""
        body: dict[str, object] = {
            "card_id": card_id,
            "scopes": list(scopes),
            "purpose": purpose,
            "valid_until": valid_until.isoformat(),
        }
        if department_id is not None:
            body["department_id"] = department_id
        return (await self._agreed("/v1/consents", body, act, ConsentList, key)).items

    async def consents(self, card_id: str, **filters: str) -> ConsentList:
        """One page of what the person has agreed to through this channel."""
        return await self.get(f"/v1/consents?{urlencode({'card_id': card_id, **filters})}", ConsentList)

    async def withdraw_consent(self, consent_id: str, *, act: Act, key: str | None = None) -> ConsentView:
        """Take a consent back."""
        return await self._agreed(f"/v1/consents/{consent_id}/withdraw", {}, act, ConsentView, key)

    async def inquire(self, scope: Scope, card_id: str, *, purpose: str, **filters: str) -> msgspec.Struct:
        """One page of what a region knows of the person: the list of its topic (`engine.web.inquiry.wire.LISTS`)."""
        topic = next(topic for topic in TOPICS.values() if topic.scope is scope)
        query = urlencode({"card_id": card_id, "purpose": purpose, **filters})
        return await self.get(f"/v1/inquiry/{topic.name}?{query}", LISTS[scope])

    async def scan_login(self, token: str, card_id: str, *, key: str | None = None) -> LoginView:
        """Who asks for what, for the person to see before saying yes. From now on the code is this card's."""
        return await self.post(f"/v1/identity/logins/{token}/scan", {"card_id": card_id}, LoginView, key)

    async def confirm_login(
        self, token: str, card_id: str, *, scopes: Iterable[ScopeName], act: Act, key: str | None = None
    ) -> LoginView:
        """Log the person in."""
        body = {"card_id": card_id, "scopes": list(scopes)}
        return await self._agreed(f"/v1/identity/logins/{token}/confirm", body, act, LoginView, key)

    async def cancel_login(self, token: str, card_id: str, *, key: str | None = None) -> LoginView:
        """Say no to a login."""
        return await self.post(f"/v1/identity/logins/{token}/cancel", {"card_id": card_id}, LoginView, key)

    async def draft_application(
        self,
        card_id: str,
        *,
        item: str,
        form: Mapping[str, object],
        region: str | None = None,
        bank: str | None = None,
        key: str | None = None,
    ) -> ApplicationView:
        """Draft an application; nobody else sees it before it is handed in."""
        body: dict[str, object] = {"card_id": card_id, "item": item, "form": form}
        body |= {name: value for name, value in (("region", region), ("bank", bank)) if value is not None}
        return await self.post("/v1/applications", body, ApplicationView, key)

    async def attach(self, application_id: str, path: Path, *, key: str | None = None) -> AttachmentView:
        """Add a file to an application.

        Raises:
            OSError: the file cannot be read.
        """
        content = await self.upload(f"/v1/applications/{application_id}/attachments", path, key=key)
        return msgspec.json.decode(content, type=AttachmentView)

    async def submit_application(self, application_id: str, *, act: Act, key: str | None = None) -> ApplicationView:
        """Hand an application in."""
        return await self._agreed(f"/v1/applications/{application_id}/submit", {}, act, ApplicationView, key)

    async def withdraw_application(self, application_id: str, *, act: Act, key: str | None = None) -> ApplicationView:
        """Take an application back that was handed in."""
        return await self._agreed(f"/v1/applications/{application_id}/withdraw", {}, act, ApplicationView, key)

    async def application(self, application_id: str) -> ApplicationView:
        """An application as it stands."""
        return await self.get(f"/v1/applications/{application_id}", ApplicationView)

    async def applications(self, **filters: str) -> ApplicationList:
        """One page of this channel's applications, newest first."""
        query = f"?{urlencode(filters)}" if filters else ""
        return await self.get(f"/v1/applications{query}", ApplicationList)

    async def registration_options(self, card_id: str, *, act: Act, key: str | None = None) -> CreationOptionsView:
        """What `navigator.credentials.create` is to make a passkey of."""
        target = "/v1/identity/passkeys/registration-options"
        return await self._agreed(target, {"card_id": card_id}, act, CreationOptionsView, key)

    async def register_passkey(
        self, card_id: str, *, label: str, credential: NewPasskeyCredential, key: str | None = None
    ) -> PasskeyView:
        """Register what the device has made."""
        body = {"card_id": card_id, "label": label, "credential": credential}
        return await self.post("/v1/identity/passkeys", body, PasskeyView, key)

    async def assertion_options(
        self, card_id: str, *, act: str, bound_to: str, key: str | None = None
    ) -> AssertionOptionsView:
        """What a passkey is to sign, to agree to one thing once; *act* and *bound_to* are those of that request."""
        body = {"card_id": card_id, "act": act, "bound_to": bound_to}
        return await self.post("/v1/identity/passkeys/assertion-options", body, AssertionOptionsView, key)

    async def open_conformance_run(self, *, key: str | None = None) -> ConformanceRunView:
        """Open a run; only in a sandbox, and before the channel is live."""
        return await self.post(f"/v1/channels/{self.channel_id}/conformance", {}, ConformanceRunView, key)

    async def conformance_run(self, run_id: str) -> ConformanceRunView:
        """What a run has shown so far."""
        return await self.get(f"/v1/channels/{self.channel_id}/conformance/{run_id}", ConformanceRunView)

    async def practise(
        self, run_id: str, case: CaseName, order_no: str, *, amount: int, key: str | None = None
    ) -> PracticeView:
        """A practice order of one case. Units: fen, of which none is paid."""
        body = {"case": case, "order_no": order_no, "amount": amount}
        return await self.post(f"/v1/channels/{self.channel_id}/conformance/{run_id}/practice", body, PracticeView, key)

    async def conclude(self, run_id: str, case: CaseName, order_no: str, outcome: str) -> ConformanceRunView:
        """Tell what has become of a practice order."""
        body = {"case": case, "order_no": order_no, "outcome": outcome}
        target = f"/v1/channels/{self.channel_id}/conformance/{run_id}/conclusions"
        return await self.post(target, body, ConformanceRunView, None)

    async def have_notified(self, run_id: str) -> ConformanceRunView:
        """Have each kind of notification sent to the channel, which listens; then what it has shown."""
        target = f"/v1/channels/{self.channel_id}/conformance/{run_id}/notifications"
        return await self.post(target, {}, ConformanceRunView, None)

    async def _agreed(self, target: str, body: Mapping[str, object], act: Act, kind: type[T], key: str | None) -> T:
        if isinstance(act, PasskeyAssertion):
            return await self.post(target, {**body, "passkey": act}, kind, key)
        named = bound_to(target, body, channel=self.channel_id)
        assert named is not None, "every request that needs an act names what it is for"
        if self._sealer is None:
            self._sealer = PasswordSealer(await self.request("GET", "/v1/keys"))
        block = sealed(self._sealer, act, target, named)
        return await self.post(target, {**body, "password_block": block}, kind, key)


def _identity(id_number: str, name: str, card_no: str) -> dict[str, object]:
    return {"id_number": id_number, "name": name, "card_no": card_no}
