"""What a portal is told of whoever has logged in: once for a code, and as long as the person, the card and it stand."""

from datetime import timedelta
from typing import Final

import msgspec

from engine.codes.field_keys import Erased
from engine.codes.keys import Keyring
from engine.codes.login_code import LoginKey, bearer_of, subject_of
from engine.core.audit import Access
from engine.core.calendar import business_date_at
from engine.core.consents import Scope
from engine.core.ids import CardId, id_text
from engine.core.logins import (
    TOKENS_LAST,
    ClientState,
    CodeBrought,
    Login,
    LoginClient,
    LoginScope,
    LoginState,
    Redemption,
    are_tokens_good,
    decide_redemption,
)
from engine.core.masking import masked_id_number
from engine.core.payer import CardStatus
from engine.core.refusals import Refusal
from engine.flows.login.sessions import LOGIN_PURPOSE
from engine.store.audit import append_access
from engine.store.connection import AnyConnection
from engine.store.consents import Look, look
from engine.store.logins import load_client, load_login, lock_login, update_login
from engine.store.participants import Clocks, load_clocks
from engine.store.persons import ID_NUMBER_PLACE, NAME_PLACE, RegisteredCard, load_card, load_sign

Claims = dict[str, object]
_METHODS: Final = {"password": ["pin"], "passkey": ["pop", "user"]}
"""How it is known that it was the person, in the words of RFC 8176."""


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """With what portals are told something. `issuer` is who tells it, as the portal knows us."""

    keyring: Keyring
    keys: tuple[LoginKey, ...]
    issuer: str
    trace_id: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a code was worth. Its repr shows nothing."""

    access_token: str
    id_token: str
    expires_in: int
    scopes: tuple[LoginScope, ...]

    def __repr__(self) -> str:
        return "Tokens(***)"


async def redeem_code(connection: AnyConnection, teller: Teller, token: bytes, brought: CodeBrought) -> Tokens | None:
    """The tokens of a genuine code, once; None if it is worth nothing. One that comes a second time takes back what the
    first was told, for one of the two has copied it: the caller's transaction has to be committed either way.

    Raises:
        Fault: the database cannot answer.
    """
    login = await lock_login(connection, token)
    if login is None:
        return None
    clocks = await load_clocks(connection)
    match decide_redemption(login, brought, now=clocks.wall):
        case Redemption.NOTHING:
            return None
        case Redemption.REVOKES:
            await revoke_tokens(connection, login, clocks)
            return None
        case Redemption.TOKENS:
            pass
    card = await _usable_card(connection, login)
    if card is None:
        return None
    redeemed = msgspec.structs.replace(login, state=LoginState.CONSUMED, redeemed_at=clocks.wall)
    await update_login(connection, redeemed)
    claims = await _claims(connection, teller, redeemed, card, clocks)
    now_s, lasts_s = int(clocks.wall.timestamp()), int(TOKENS_LAST / timedelta(seconds=1))
    assert login.confirmed_at is not None, "it was confirmed"
    signed: Claims = {
        "iss": teller.issuer,
        "aud": id_text(login.client),
        "iat": now_s,
        "exp": now_s + lasts_s,
        "auth_time": int(login.confirmed_at.timestamp()),
        "amr": _METHODS[(login.act or "").partition(" ")[0]],
        **({"nonce": login.nonce} if login.nonce is not None else {}),
        **claims,
    }
    return Tokens(
        access_token=bearer_of(teller.keyring, token, "access"),
        id_token=teller.keys[0].id_token(signed),
        expires_in=lasts_s,
        scopes=login.agreed_scopes or (),
    )


async def person_told(connection: AnyConnection, teller: Teller, token: bytes) -> Claims | None:
    """What a portal is told of the person for a genuine access token; None if that opens nothing any more.

    Raises:
        Fault: the database cannot answer.
    """
    login = await load_login(connection, token)
    if login is None:
        return None
    clocks = await load_clocks(connection)
    client = await load_client(connection, login.client)
    card = await _usable_card(connection, login)
    is_let = client is not None and client.state is ClientState.ACTIVE
    if not are_tokens_good(login, now=clocks.wall) or not is_let or card is None:
        return None
    return await _claims(connection, teller, login, card, clocks)


async def revoke_tokens(connection: AnyConnection, login: Login, clocks: Clocks) -> None:
    """What was told of a held login's code opens nothing any more. Doing it twice changes nothing."""
    if login.revoked_at is None and login.redeemed_at is not None:
        await update_login(connection, msgspec.structs.replace(login, revoked_at=clocks.wall))


async def revoke_access(connection: AnyConnection, client: LoginClient, token: bytes) -> None:
    """A portal gives its access token back. Another one's is left alone, and nothing is said of it."""
    login = await lock_login(connection, token)
    if login is not None and login.client == client.id:
        await revoke_tokens(connection, login, await load_clocks(connection))


async def _usable_card(connection: AnyConnection, login: Login) -> RegisteredCard | None:
    """The login's card, while it may be used and is still in the app in which the person has agreed."""
    card = await load_card(connection, CardId(login.card)) if login.card is not None else None
    if card is None or card.status is not CardStatus.ACTIVE or login.channel is None:
        return None
    return card if await load_sign(connection, card.id, login.channel) is not None else None


async def _claims(
    connection: AnyConnection, teller: Teller, login: Login, card: RegisteredCard, clocks: Clocks
) -> Claims:
    """Who it is, and what the person has agreed to tell and not taken back since; each look is on record."""
    claims: Claims = {"sub": subject_of(teller.keyring, client=login.client, person=card.person)}
    if LoginScope.PROFILE not in (login.agreed_scopes or ()):
        return claims
    asked = Look(
        card=card.id,
        region=card.region,
        department=None,
        channel=login.client,
        scope=Scope.PROFILE,
        purpose=LOGIN_PURPOSE,
        today=business_date_at(clocks.business),
    )
    is_agreed = (await look(connection, asked)).held.has_consent
    access = Access(
        caller=login.client,
        subject=card.id,
        action="login.profile",
        purpose=LOGIN_PURPOSE,
        object=None,
        result="allowed" if is_agreed else Refusal.CONSENT_REQUIRED.slug,
        trace_id=teller.trace_id,
        channel=login.channel,
    )
    await append_access(connection, access, now=clocks.business)
    if not is_agreed:
        return claims
    try:
        name = teller.keyring.unseal(card.name, place=NAME_PLACE).decode()
        id_number = teller.keyring.unseal(card.id_number, place=ID_NUMBER_PLACE).decode()
    except Erased:
        return claims
    return claims | {
        "name": name,
        "masked_id_number": masked_id_number(id_number),
        "region": f"{card.region:06d}",
    }
