"""Where passkeys are registered and what they have signed is judged: each challenge counts once, for one thing."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.codes.webauthn_answers import (
    Assertion,
    Registration,
    challenge_in,
    verify_assertion,
    verify_registration,
)
from engine.core.cards import why_not_issued
from engine.core.ids import CardId, IdKind, PaymentId, id_text, region_of, shard_of
from engine.core.passkeys import (
    CHALLENGE_S,
    CREATE,
    LINK_S,
    PASSKEYS_MAX,
    USED_LINK_S,
    Passkey,
    PasskeyId,
    RelyingParty,
    is_copy,
)
from engine.core.payer import CardStatus
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.passkeys import (
    Challenge,
    NewChallenge,
    PasskeyLink,
    Use,
    count_use,
    hold_challenge,
    hold_credential,
    hold_link,
    insert_challenge,
    insert_link,
    insert_passkey,
    load_link,
    load_passkeys,
    mark_copied,
    use_challenge,
    use_link,
)
from engine.store.persons import hold_card, load_card

LABEL_PLACE: Final = "passkey.label"
_LINK_LABEL_PLACE: Final = "passkey_link.label"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One instant, as both clocks have it: challenges age by wall time, what is kept is told in business time."""

    wall: datetime
    now: datetime


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a passkey has to agree to, whose it has to be, and for which request of which channel."""

    card: CardId
    act: str
    bound_to: str
    channel: bytes
    key: str


class LinkWish(msgspec.Struct, frozen=True, kw_only=True):
    """A link that a channel asks for: to confirm a payment, or to register a passkey that is called *label*."""

    card: CardId
    channel: bytes
    payment: PaymentId | None = None
    label: str | None = None


class RegistrationWish(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey that is to be registered: for which card, by which channel, and what it is called."""

    card: CardId
    channel: bytes
    label: str


class PasskeyDesk:
    """Passkeys of one relying party. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, party: RelyingParty) -> None:
        """Work with these."""
        self._pool = pool
        self._keyring = keyring
        self._ids = ids
        self.party = party

    def user_handle(self, card: CardId) -> bytes:
        """What a device calls the cardholder by: 32 bytes that tell nobody anything (WebAuthn, section 14.6.1)."""
        return self._keyring.blind_index(f"passkey user {card.hex()}")

    def label(self, passkey: Passkey) -> str:
        """What the cardholder calls it."""
        return self._keyring.unseal(passkey.label, place=LABEL_PLACE).decode()

    async def challenge(
        self, source: Source, *, card: CardId, channel: bytes, act: str, bound_to: str, wall: datetime
    ) -> bytes:
        """A new challenge; only its digest is kept."""
        drawn = self._ids.token() + self._ids.token()
        kept = NewChallenge(
            digest=hashlib.sha256(drawn).digest(),
            card=card,
            channel=channel,
            act=act,
            bound_to=bound_to,
            expires_at=wall + timedelta(seconds=CHALLENGE_S),
        )
        await insert_challenge(source, kept, wall=wall)
        return drawn

    async def open_link(self, source: Source, link: LinkWish, *, wall: datetime) -> bytes:
        """The token of a new link to the page; only its digest is kept."""
        token = self._ids.token()
        sealed = (
            self._keyring.seal(link.label.encode(), place=_LINK_LABEL_PLACE, nonce=self._ids.nonce())
            if link.label is not None
            else None
        )
        kept = PasskeyLink(
            digest=hashlib.sha256(token).digest(),
            card=link.card,
            channel=link.channel,
            payment=link.payment,
            label=sealed,
            expires_at=wall + timedelta(seconds=LINK_S),
        )
        await insert_link(source, kept, old_before=wall - timedelta(seconds=USED_LINK_S))
        return token

    async def link_of(self, token: bytes, *, wall: datetime) -> PasskeyLink | None:
        """The link of a token; None if there is none, or its time is over. One that was used shows a little longer
        what has come of it, and then tells whoever finds it no more of the payment.
        """
        link = await load_link(self._pool, hashlib.sha256(token).digest())
        if link is None:
            return None
        longer = timedelta(seconds=USED_LINK_S if link.used_at is not None else 0)
        return link if wall < link.expires_at + longer else None

    def label_of_link(self, link: PasskeyLink) -> str:
        """What a passkey will be called that is registered by this link."""
        assert link.label is not None, "it is not for a payment"
        return self._keyring.unseal(link.label, place=_LINK_LABEL_PLACE).decode()

    async def why_no_more(self, source: Source, card: CardId) -> Refusal | None:
        """Why no passkey can be registered for a card now."""
        seen = await load_card(source, card)
        if seen is None:
            return Refusal.NOT_FOUND
        refusal = why_not_issued(seen.status)
        if refusal is not None:
            return refusal
        usable = sum(1 for one in await load_passkeys(source, card) if one.status == "active")
        return Refusal.PASSKEYS_TOO_MANY if usable >= PASSKEYS_MAX else None

    async def register(
        self, connection: AnyConnection, answer: Registration | None, wish: RegistrationWish, *, at: Moment
    ) -> Passkey | NotDone:
        """Keep a new passkey, in the transaction of *connection*; PASSKEY_INVALID, and never why, if it cannot be."""
        no = NotDone(Refusal.PASSKEY_INVALID)
        drawn = challenge_in(answer.client_data) if answer is not None else None
        if answer is None or drawn is None:
            return no
        await hold_card(connection, wish.card)
        refusal = await self.why_no_more(connection, wish.card)
        if refusal is not None:
            return NotDone(refusal)
        challenge = await hold_challenge(connection, hashlib.sha256(drawn).digest())
        wanted = (wish.card, wish.channel, CREATE)
        if challenge is None or (challenge.card, challenge.channel, challenge.act) != wanted:
            return no
        if challenge.used_key is not None or at.wall >= challenge.expires_at:
            return no
        made = await asyncio.to_thread(partial(verify_registration, answer, challenge=drawn, party=self.party))
        if made is None:
            return no
        passkey = Passkey(
            id=PasskeyId(self._ids.new(IdKind.PASSKEY, shard=shard_of(wish.card), region=region_of(wish.card))),
            card=wish.card,
            credential_id=made.id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            label=self._keyring.seal(wish.label.encode(), place=LABEL_PLACE, nonce=self._ids.nonce()),
            registered_by=wish.channel,
            registered_at=at.now,
            used_at=None,
            copied_at=None,
            revoked_at=None,
        )
        if not await insert_passkey(connection, passkey):
            return no
        evidence = hashlib.sha256(answer.client_data + answer.attestation).digest()
        use = Use(passkey=passkey.id, evidence=evidence, key=id_text(passkey.id))
        await use_challenge(connection, challenge.digest, use, now=at.now)
        return passkey

    async def register_by_link(
        self, answer: Registration | None, link: PasskeyLink, *, at: Moment
    ) -> Passkey | NotDone:
        """Keep the passkey that was made on a link's page, and the link is used; or neither."""
        wish = RegistrationWish(card=link.card, channel=link.channel, label=self.label_of_link(link))
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                if not await hold_link(connection, link.digest):
                    return NotDone(Refusal.NOT_FOUND)
                made = await self.register(connection, answer, wish, at=at)
                if isinstance(made, Passkey):
                    await use_link(connection, link.digest, now=at.now)
                return made

    async def prove(self, answer: Assertion | None, wanted: Wanted, *, at: Moment) -> Refusal | None:
        """None if a passkey of the card has agreed to just this; else PASSKEY_INVALID, and never why.

        The same answer under the same key is right again, for whoever got no answer himself; under any other key it is
        a replay. A passkey that gives itself away as a copy is marked, and good for nothing from then on.
        """
        drawn = challenge_in(answer.client_data) if answer is not None else None
        if answer is None or drawn is None:
            return Refusal.PASSKEY_INVALID
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                challenge = await hold_challenge(connection, hashlib.sha256(drawn).digest())
                if challenge is None or not _is_for(challenge, wanted):
                    return Refusal.PASSKEY_INVALID
                if challenge.used_key is not None:
                    is_same = (challenge.used_key, challenge.evidence) == (wanted.key, evidence_of(answer))
                    return None if is_same else Refusal.PASSKEY_INVALID
                if at.wall >= challenge.expires_at:
                    return Refusal.PASSKEY_INVALID
                return await self._judge(connection, answer, drawn, wanted, now=at.now)

    async def _judge(
        self, connection: AnyConnection, answer: Assertion, drawn: bytes, wanted: Wanted, *, now: datetime
    ) -> Refusal | None:
        passkey = await hold_credential(connection, answer.credential_id)
        if passkey is None or passkey.card != wanted.card or passkey.status != "active":
            return Refusal.PASSKEY_INVALID
        if passkey.card_status is CardStatus.CANCELLED:
            return Refusal.PASSKEY_INVALID
        verify = partial(verify_assertion, answer, challenge=drawn, party=self.party, public_key=passkey.public_key)
        count = await asyncio.to_thread(verify)
        if count is None:
            return Refusal.PASSKEY_INVALID
        if is_copy(passkey.sign_count, count):
            await mark_copied(connection, passkey.id, now=now)
            return Refusal.PASSKEY_INVALID

        await count_use(connection, passkey.id, sign_count=count, now=now)
        use = Use(passkey=passkey.id, evidence=evidence_of(answer), key=wanted.key)
        await use_challenge(connection, hashlib.sha256(drawn).digest(), use, now=now)
        return None


def evidence_of(answer: Assertion) -> bytes:
    """The digest of what a passkey has signed with, kept as evidence."""
    parts = (answer.credential_id, answer.client_data, answer.authenticator_data, answer.signature)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _is_for(challenge: Challenge, wanted: Wanted) -> bool:
    asked = (challenge.card, challenge.channel, challenge.act, challenge.bound_to)
    return asked == (wanted.card, wanted.channel, wanted.act, wanted.bound_to)
