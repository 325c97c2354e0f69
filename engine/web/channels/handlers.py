"""Channels over HTTP: operators bring them in, stop them and let them go on; anybody may see who is live."""

import msgspec
from aiohttp import web

from engine.core.channels import Channel, ChannelMove, ChannelState, OwnerClass, Product, StopKind
from engine.core.ids import IdKind, MalformedId, id_text, parse_id
from engine.core.participants import NATIONAL, Right, is_region
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.channels.admission import Application, apply, approve, ask_move, ask_terms
from engine.flows.channels.stops import StopWanted, ask_lift, stop_channel
from engine.store.barrier import pass_all_lanes
from engine.store.channels import (
    CONTACT_PLACE,
    ChannelsWanted,
    load_channel,
    load_channels,
    load_directory,
    load_moves,
    load_stops,
)
from engine.store.participants import load_operator
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id
from engine.web.channels.wire import (
    ChannelDirectory,
    ChannelList,
    ChannelRequest,
    ChannelTermsRequest,
    ResumeRequest,
    StopOrderList,
    StopRequest,
    channel_view,
    listed_view,
    stop_order_view,
    terms_of,
)
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.public_key import key_given
from engine.web.render import encode_json
from engine.web.wire_participants import ReasonRequest, SecretView

HISTORY_MAX = 50
DIRECTORY_MAX_AGE_S = 30


async def post_channel(request: web.Request) -> web.Response:
    """`POST /v1/channels`: apply for a channel; its key opens nothing but what shows that it works."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ChannelRequest)
    alg, public_key = key_given(given.key.alg, given.key.public_key, "/key")
    await _refuse_uncallable(request, given.callback_urls)
    application = Application(
        channel_no=given.channel_no,
        owner_class=OwnerClass[given.owner_class.upper()],
        parent=given.parent,
        terms=terms_of(given),
        alg=alg,
        public_key=public_key,
    )
    node = request.app[NODE]

    async def step(asked: Asking) -> Done | NotDone:
        applied = await apply(asked, node.keyring, application, reason=given.reason)
        if isinstance(applied, NotDone):
            return applied
        channel, key = applied
        view = msgspec.structs.replace(channel_view(channel, given.contact), keyid=key.keyid)
        if key.secret is not None:
            secret = SecretView(keyid=key.secret.keyid, alg=key.secret.alg, key=key.secret.key)
            view = msgspec.structs.replace(view, secret=secret)
        return Done(201, encode_json(view))

    facts = _facts_of(request, given)
    return done_response(await do_once(request, wish_of(request, "apply_for_channel", facts), step))


async def get_channels(request: web.Request) -> web.Response:
    """`GET /v1/channels`: all of them, for operators, newest first."""
    operator = await reading_operator(request)
    page = page_of(request, IdKind.CHANNEL, filters=("status", "owner_class"))
    status, owner_class = page.filters.get("status"), page.filters.get("owner_class")
    if status is not None and status.upper() not in ChannelState.__members__:
        raise refuse_field("/status", f"one of {', '.join(state.name.lower() for state in ChannelState)}")
    if owner_class is not None and owner_class.upper() not in OwnerClass.__members__:
        raise refuse_field("/owner_class", f"one of {', '.join(one.name.lower() for one in OwnerClass)}")
    wanted = ChannelsWanted(
        before=page.before,
        state=ChannelState[status.upper()] if status is not None else None,
        owner_class=OwnerClass[owner_class.upper()] if owner_class is not None else None,
        count=page.limit + 1,
    )
    found = await load_channels(request.app[NODE].pool, wanted)
    items = tuple(
        channel_view(channel, _contact(request, channel) if operator.may(Right.READ, channel.region) else None)
        for channel in found[: page.limit]
    )
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(ChannelList(items=items, next_cursor=cursor)))


async def get_channel_directory(request: web.Request) -> web.Response:
    """`GET /v1/channels/directory`: the channels that a person can choose from."""
    page = page_of(request)
    found = await load_directory(request.app[NODE].pool, after=page.cursor or "", count=page.limit + 1)
    items = tuple(map(listed_view, found[: page.limit]))
    cursor = items[-1].channel_no if len(found) > page.limit else None
    response = json_response(encode_json(ChannelDirectory(items=items, next_cursor=cursor)))
    response.headers["Cache-Control"] = f"public, max-age={DIRECTORY_MAX_AGE_S}"
    return response


async def get_channel(request: web.Request) -> web.Response:
    """`GET /v1/channels/{id}`: a channel and its history, for operators and itself."""
    no_parameters(request)
    channel, sees_contact = await visible_channel(request)
    history = await load_moves(request.app[NODE].pool, channel.id, count=HISTORY_MAX)
    return json_response(
        encode_json(channel_view(channel, _contact(request, channel) if sees_contact else None, history))
    )


async def get_channel_stops(request: web.Request) -> web.Response:
    """`GET /v1/channels/{id}/stops`: what has stopped it, on which evidence, and what became of that."""
    channel, _ = await visible_channel(request)
    page = page_of(request, IdKind.STOP_ORDER)
    found = await load_stops(request.app[NODE].pool, channel.id, before=page.before, count=page.limit + 1)
    items = tuple(map(stop_order_view, found[: page.limit]))
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(StopOrderList(items=items, next_cursor=cursor)))


async def post_channel_approval(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/approve`: find that its tests and papers are in order; it may do nothing yet."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    identifier = channel_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        channel = await approve(asked, identifier, reason=given.reason)
        return _shown(request, channel)

    facts = {"id": id_text(identifier), "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "approve_channel", facts), step))


async def post_channel_opening(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/go-live`: ask for it to be opened to the public."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    identifier = channel_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_move(asked, identifier, ChannelMove.GO_LIVE, reason=given.reason))

    facts = {"id": id_text(identifier), "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "open_channel", facts), step))


async def post_channel_rectification(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/rectify`: it goes on for the cardholders it has, and takes on no others."""
    return await _stop(request, StopKind.RECTIFY)


async def post_channel_suspension(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/suspend`: once this is answered, nothing is authorized through it."""
    return await _stop(request, StopKind.SUSPEND)


async def post_channel_termination(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/terminate`: suspended for good."""
    return await _stop(request, StopKind.TERMINATE)


async def post_channel_resumption(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/resume`: ask for it to go on, or for one order about a part of it to be lifted."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ResumeRequest)
    identifier = channel_in(request)
    stop: bytes | None = None
    if given.stop_order_id is not None:
        try:
            stop = parse_id(given.stop_order_id, IdKind.STOP_ORDER)
        except MalformedId:
            raise refuse_field("/stop_order_id", "not the id of an order") from None

    async def step(asked: Asking) -> Done | NotDone:
        if stop is not None:
            return asked_for(asked, await ask_lift(asked, identifier, stop, reason=given.reason))
        return asked_for(asked, await ask_move(asked, identifier, ChannelMove.RESUME, reason=given.reason))

    facts = {"id": id_text(identifier), "stop_order_id": given.stop_order_id, "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "resume_channel", facts), step))


async def post_channel_changes(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/changes`: ask for other products, regions, addresses or names."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ChannelTermsRequest)
    identifier, node = channel_in(request), request.app[NODE]
    await _refuse_uncallable(request, given.callback_urls)

    async def step(asked: Asking) -> Done | NotDone:
        asking = await ask_terms(asked, node.keyring, identifier, terms_of(given), reason=given.reason)
        return asked_for(asked, asking)

    facts = {"id": id_text(identifier), "given": _facts_of(request, given)}
    return done_response(await do_once(request, wish_of(request, "change_channel", facts), step))


def channel_in(request: web.Request) -> bytes:
    """The channel that the path names. A malformed id names none."""
    return id_in_path(request, "id", IdKind.CHANNEL)


async def visible_channel(request: web.Request) -> tuple[Channel, bool]:
    """The channel of the path, if it is the caller or the caller an operator; and whether that may see its contact.

    Raises:
        Refused: there is none, or none that the caller may know of.
    """
    identifier, pool = channel_in(request), request.app[NODE].pool
    is_own = identifier == caller_id(request)
    operator = None
    if not is_own:
        if request[CALLER].kind is not IdKind.OPERATOR:
            raise Refused(Refusal.NOT_FOUND)
        operator = await load_operator(pool, caller_id(request))
        if operator is None or operator.is_suspended:
            raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    channel = await load_channel(pool, identifier)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    return channel, operator is None or operator.may(Right.READ, channel.region)


async def _stop(request: web.Request, kind: StopKind) -> web.Response:
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], StopRequest)
    identifier = channel_in(request)
    region = int(given.region) if given.region is not None else NATIONAL
    if not is_region(region):
        raise refuse_field("/region", "not a region of GB/T 2260")
    wanted = StopWanted(
        kind=kind,
        product=Product[given.product.upper()] if given.product is not None else None,
        region=region,
        reason=given.reason,
        evidence=given.evidence,
        restore_condition=given.restore_condition,
    )

    async def step(asked: Asking) -> Done | NotDone:
        return _shown(request, await stop_channel(asked, identifier, wanted))

    facts = {"id": id_text(identifier), **msgspec.to_builtins(given)}
    answer = await do_once(request, wish_of(request, f"{kind.name.lower()}_channel", facts), step)
    # Replays too: the first answer may have been lost between the commit and the barrier.
    node = request.app[NODE]
    await pass_all_lanes(node.pool)
    node.channels.forget()
    return done_response(answer)


def _shown(request: web.Request, channel: Channel | NotDone) -> Done | NotDone:
    if isinstance(channel, NotDone):
        return channel
    return Done(200, encode_json(channel_view(channel, _contact(request, channel))))


def _contact(request: web.Request, channel: Channel) -> str | None:
    if channel.contact is None:
        return None
    return request.app[NODE].keyring.unseal(channel.contact, place=CONTACT_PLACE).decode()


def _facts_of(request: web.Request, given: ChannelRequest | ChannelTermsRequest) -> dict[str, object]:
    """What makes two requests the same; whom to reach goes in as a keyed index."""
    facts: dict[str, object] = msgspec.to_builtins(given)
    facts["contact"] = request.app[NODE].keyring.blind_index(f"{CONTACT_PLACE} {given.contact}").hex()
    return facts


async def _refuse_uncallable(request: web.Request, urls: tuple[str, ...]) -> None:
    for n, url in enumerate(urls):
        reason = await request.app[NODE].callbacks.why_not(url)
        if reason is not None:
            raise refuse_field(f"/callback_urls/{n}", reason)
