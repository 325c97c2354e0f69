"""Runs in which a channel shows that it works. What it shows moves it on, part by part."""

import secrets
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.codes.webhook_signature import ID_HEADER, SECRET_BYTES, SIGNATURE_HEADER, webhook_headers
from engine.core.channel_conformance import (
    STEPS_MAX,
    Notified,
    Part,
    Probe,
    Step,
    Verdict,
    has_passed,
    judge,
)
from engine.core.channels import NOT_YET_LIVE, Channel, ChannelMove, ChannelState, after
from engine.core.ids import IdKind, id_text, region_of
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.callbacks import Callbacks, post_once
from engine.flows.clock import IdSource
from engine.store.channel_conformance import (
    SECRET_PLACE,
    ConformanceRun,
    insert_run,
    insert_step,
    load_steps,
    lock_run,
)
from engine.store.channels import lock_channel, move_channel
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import load_clocks

STALE: Final = timedelta(hours=1)
CHECK_BYTES: Final = 8
_MOVES: Final = ((Part.FUNCTION, ChannelMove.PASS_FUNCTION), (Part.SECURITY, ChannelMove.PASS_SECURITY))


async def open_run(
    connection: AnyConnection, keyring: Keyring, ids: IdSource, channel: Channel
) -> tuple[ConformanceRun, bytes] | NotDone:
    """Open a run for a channel that has applied. Returns it and the secret that its notifications are signed with."""
    if channel.state not in NOT_YET_LIVE:
        return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("state", channel.state.name.lower()),))
    if not channel.callback_urls:
        return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("callback_urls", "there is none to notify"),))
    secret = secrets.token_bytes(SECRET_BYTES)
    run = ConformanceRun(
        id=ids.new(IdKind.CONFORMANCE_RUN, shard=0, region=region_of(channel.id)),
        channel=channel.id,
        callback_url=channel.callback_urls[0],
        secret=keyring.seal(secret, place=SECRET_PLACE, nonce=ids.nonce()),
        opened_at=(await load_clocks(connection)).business,
    )
    await insert_run(connection, run)
    return run, secret


async def note_step(pool: asyncpg.Pool, run: ConformanceRun, step: Step) -> dict[str, Verdict] | NotDone:
    """Keep a step, and move the channel on if a part is passed with it. Returns the verdicts.

    Locks: the run, then the channel.

    Raises:
        Fault: the database cannot do it.
    """
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            await lock_run(connection, run.id)
            steps = await load_steps(connection, run.id)
            if len(steps) >= STEPS_MAX:
                return NotDone(Refusal.TOO_MANY_ATTEMPTS)
            now = (await load_clocks(connection)).business
            await insert_step(connection, run.id, len(steps) + 1, step, now=now)
            verdicts = judge([*steps, step])
            for part, move in _MOVES:
                if has_passed(part, verdicts):
                    await _move_on(connection, run, move)
            return verdicts


async def send_probes(
    pool: asyncpg.Pool, callbacks: Callbacks, ids: IdSource, run: ConformanceRun, secret: bytes, *, now_s: float
) -> NotDone | None:
    """Send each kind of notification to the channel, and keep how it has answered. Units: wall seconds since 1970.

    Raises:
        Fault: the database cannot keep it.
    """
    body = msgspec.json.encode(
        {"type": "channel.conformance", "data": {"run_id": id_text(run.id), "check": secrets.token_hex(CHECK_BYTES)}}
    )
    run_region = region_of(run.channel)
    message = id_text(ids.new(IdKind.EVENT, shard=0, region=run_region))
    async with callbacks.session(connections_max=1) as session:
        for probe in _in_any_order():
            # Nothing but what is wrong with a notification tells it from a genuine one.
            named = message if probe.is_to_be_taken else id_text(ids.new(IdKind.EVENT, shard=0, region=run_region))
            headers, sent = _made(probe, secret, named, body, now_s=int(now_s))
            answered = await post_once(session, run.callback_url, headers, sent)
            noted = await note_step(pool, run, Notified(probe=probe, status=answered.status))
            if isinstance(noted, NotDone):
                return noted
    return None


def _made(probe: Probe, secret: bytes, message: str, body: bytes, *, now_s: int) -> tuple[dict[str, str], bytes]:
    """Headers and body of a notification of its kind."""
    signed_s = now_s - int(STALE.total_seconds()) if probe is Probe.STALE else now_s
    signing = secret if probe is not Probe.WRONG_SIGNATURE else bytes(reversed(secret))
    headers = webhook_headers([signing], message_id=message, timestamp_s=signed_s, body=body)
    if probe is Probe.UNSIGNED:
        del headers[SIGNATURE_HEADER]
    assert ID_HEADER in headers, "every notification has an id"
    return headers, _changed(body) if probe is Probe.CHANGED_BODY else body


def _in_any_order() -> list[Probe]:
    """Every probe, in an order that its receiver cannot know; what is repeated comes after what it repeats."""
    probes: list[Probe] = [probe for probe in Probe if probe is not Probe.REPEATED]
    secrets.SystemRandom().shuffle(probes)
    after = probes.index(Probe.GENUINE) + 1
    probes.insert(after + secrets.randbelow(len(probes) - after + 1), Probe.REPEATED)
    return probes


def _changed(body: bytes) -> bytes:
    """The same but for one digit of its check, which is another one: it looks as good as before."""
    at = body.rindex(b'"check":"') + len(b'"check":"')
    return body[:at] + (b"0" if body[at : at + 1] != b"0" else b"1") + body[at + 1 :]


async def _move_on(connection: AnyConnection, run: ConformanceRun, move: ChannelMove) -> None:
    channel = await lock_channel(connection, run.channel)
    assert channel is not None, "channels are never deleted"
    state = after(channel.state, move)
    if isinstance(state, ChannelState):
        now = (await load_clocks(connection)).business
        await move_channel(
            connection, channel.id, move, state, operator=None, at=now, reason=f"conformance run {id_text(run.id)}"
        )
