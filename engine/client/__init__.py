"""A typed client for merchants, banks and channels."""

from engine.client.bills import bill_request
from engine.client.client import Download, EngineClient, Refused, Unreachable
from engine.client.credentials import Credentials
from engine.client.gate import Gate, GateSettings
from engine.client.gate_journal import JournalFailed
from engine.client.passwords import PasswordSealer

__all__ = [
    "Credentials",
    "Download",
    "EngineClient",
    "Gate",
    "GateSettings",
    "JournalFailed",
    "PasswordSealer",
    "Refused",
    "Unreachable",
    "bill_request",
]
