"""What the handlers work with. Built in `engine.wiring`, found under one key of the application."""

import asyncio
from typing import Final

import asyncpg
import msgspec
from aiohttp import web

from engine.codes.keys import Keyring, SigningKey
from engine.flows.assess_risk import RiskDesk
from engine.flows.await_payment import PaymentWatch
from engine.flows.callbacks import Callbacks
from engine.flows.channels.desk import ChannelDesk
from engine.flows.check_password import PasswordDesk
from engine.flows.clock import Clock, IdSource
from engine.flows.disburse import Eligibility
from engine.flows.identity.face import FaceComparer
from engine.flows.inquiry.regional_systems import RegionalSystems
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.receive_upload import UploadHandlers
from engine.flows.review_payment import ReviewedPayments
from engine.flows.sandbox_time import SandboxTime
from engine.hints.attempts import WrongCodes
from engine.hints.nonces import NonceGuard
from engine.hints.page_attempts import PageAttempts
from engine.hints.read_limits import ReadLimits
from engine.ledger.router import Ledger
from engine.store.card_numbers import CardNumbers
from engine.store.reads import Reads
from engine.store.rules import RulesShelf
from engine.telemetry import Metrics
from engine.web.callers import CallerDirectory


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One web process's parts."""

    database_url: str
    ledger: Ledger
    pool: asyncpg.Pool
    reads: Reads
    rules: RulesShelf
    callers: CallerDirectory
    nonces: NonceGuard
    wrong_codes: WrongCodes
    keyring: Keyring
    signing_keys: tuple[SigningKey, ...]  # the first one signs, all are published
    passwords: PasswordDesk
    card_numbers: CardNumbers
    clock: Clock
    ids: IdSource
    metrics: Metrics
    uploads: UploadHandlers  # by kind
    clearing: LedgerClearing
    eligibility: Eligibility
    sandbox_time: SandboxTime | None  # None outside the sandbox
    stopping: asyncio.Event  # set when the node has to stop: it was told to, or a lane was fenced
    payment_watch: PaymentWatch
    page_attempts: PageAttempts
    read_limits: ReadLimits
    risk: RiskDesk
    reviewed: ReviewedPayments  # what is done with payments that an operator has looked at
    callbacks: Callbacks  # calls to addresses that others have named
    public_url: str  # where everybody else reaches the engine; empty: wherever a request has come
    channels: ChannelDesk = msgspec.field(default_factory=ChannelDesk)
    rp_id: str = "localhost"  # the name that passkeys are made for
    faces: FaceComparer | None = None  # None: nobody compares faces
    regional: RegionalSystems = msgspec.field(default_factory=RegionalSystems)


NODE: Final = web.AppKey("node", Node)
