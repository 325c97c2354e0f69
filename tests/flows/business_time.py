"""Moving business time to where a test needs it."""

from datetime import UTC, date, datetime, time, timedelta

import asyncpg

from engine.core.calendar import SHANGHAI, settlement_date

SET_NOW = (
    "UPDATE control SET sandbox_offset_us = round(extract(epoch FROM $1::timestamptz - clock_timestamp()) * 1000000)"
)


async def set_now(sql: asyncpg.Connection, at: datetime) -> None:
    """Business time is *at*, and goes on from there."""
    await sql.execute(SET_NOW, at)


def at_hour(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant of a calendar day in Shanghai."""
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def a_day_ahead(days: int = 5) -> date:
    """A working day that is some days away, so that business time only moves forward."""
    return settlement_date(datetime.now(UTC).date() + timedelta(days=days))
