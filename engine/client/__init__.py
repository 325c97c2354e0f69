"""A typed client for merchants, banks and channels."""

from engine.client.client import Download, EngineClient, Refused, Unreachable
from engine.client.credentials import Credentials

__all__ = ["Credentials", "Download", "EngineClient", "Refused", "Unreachable"]
