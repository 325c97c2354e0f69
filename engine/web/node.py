"""What the handlers work with. Built in `engine.wiring`, found under one key of the application."""

import asyncio
from typing import Final

import asyncpg
import msgspec
from aiohttp import web

from engine.codes.keys import Keyring, SigningKey
from engine.flows.clock import Clock, IdSource
from engine.flows.disburse import Eligibility
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.receive_upload import UploadHandlers
from engine.flows.sandbox_time import SandboxTime
from engine.hints.attempts import WrongCodes
from engine.hints.nonces import NonceGuard
from engine.ledger.router import Ledger
from engine.store.reads import Reads
from engine.telemetry import Metrics
from engine.web.callers import CallerDirectory


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One web process's parts."""

    database_url: str
    ledger: Ledger
    pool: asyncpg.Pool
    reads: Reads
    callers: CallerDirectory
    nonces: NonceGuard
    wrong_codes: WrongCodes
    keyring: Keyring
    signing_keys: tuple[SigningKey, ...]  # the first one signs, all are published
    clock: Clock
    ids: IdSource
    metrics: Metrics
    uploads: UploadHandlers  # by kind
    clearing: LedgerClearing
    eligibility: Eligibility
    sandbox_time: SandboxTime | None  # None outside the sandbox
    stopping: asyncio.Event  # set when the node has to stop: it was told to, or a lane was fenced


NODE: Final = web.AppKey("node", Node)
