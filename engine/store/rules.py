"""The rules that operators change, as one version of them."""

import asyncpg

from engine.core.rules import Rules
from engine.store.channels import load_stopped
from engine.store.connection import AnyConnection
from engine.store.plans import load_plan_book
from engine.store.rollouts import load_rollout


class RulesShelf:
    """The rules as they were read last, for what is read often."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._rules = Rules()

    async def at(self, source: "AnyConnection | asyncpg.Pool", version: int) -> Rules:
        """The rules of a version that was just read, or of one that is newer.

        Raises:
            Fault: one of `translated`.
        """
        if self._rules.version != version:
            self._rules = await load_rules(source)
        return self._rules


async def load_rules(source: "AnyConnection | asyncpg.Pool") -> Rules:
    """The rules as they stand, at least as new as the version that they bear.

    The version is read with the plans, before the switches and stops: whoever changes those meanwhile counts it up.

    Raises:
        Fault: one of `translated`.
    """
    version, plans = await load_plan_book(source)
    rollout = await load_rollout(source)
    return Rules(version=version, plans=plans, rollout=rollout, stopped=await load_stopped(source))
