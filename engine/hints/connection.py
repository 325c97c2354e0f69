"""The connection to Valkey. Losing it costs time, never money."""

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def open_valkey(url: str) -> "aioredis.Redis":
    """A client that gives up soon: a hint that comes late is no hint. Nothing is connected yet."""
    client: aioredis.Redis = aioredis.from_url(
        url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )
    return client
