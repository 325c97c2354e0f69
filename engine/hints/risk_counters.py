"""What risk control counts, by payer, terminal, merchant and channel: a hint that processes share, each a moment late.

Every figure is this process's own, counted at once, and what the others had when Valkey last answered. Nobody waits for
Valkey: what has changed goes over twice a second in one script, and comes back as what the others have, for
those who ask next. Each process keeps a figure of its own there, so telling it again changes nothing: an answer that is
lost, or a Valkey that has forgotten everything, is put right by telling it the next time.
"""

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import structlog
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from engine.core.risk import COUNTERS, Counted, Counter, RiskFacts

TELL_S: Final = 0.5  # against windows of a minute; more often costs each payment more
RETRY_S: Final = 1.0
LINES_MAX: Final = 1_000  # a script of that many takes Valkey a few milliseconds
MEMBERS_MAX: Final = 1_000
SUBJECTS_MAX: Final = 200_000  # of one counter, a few ten megabytes
_TELL: Final = """
local totals = {}
for i = 2, #ARGV, 4 do
    local prefix, is_set, seconds = ARGV[i], ARGV[i + 1] == 'set', ARGV[i + 2]
    for line in string.gmatch(ARGV[i + 3], '[^\\n]+') do
        local subject, told = string.match(line, '(%S+) (.+)')
        local key = prefix .. subject
        local total = 0
        if is_set then
            local members = {}
            for member in string.gmatch(told, '%S+') do members[#members + 1] = member end
            redis.call('SADD', key, unpack(members))
            total = redis.call('SCARD', key)
        else
            redis.call('HSET', key, ARGV[1], told)
            for _, value in ipairs(redis.call('HVALS', key)) do total = total + tonumber(value) end
        end
        redis.call('EXPIRE', key, seconds)
        totals[#totals + 1] = string.format('%.0f', total)
    end
end
return table.concat(totals, ' ')
"""
"""Four arguments for each counter, its figures a line each: hardly any work here for each of them. A sum is kept by
process, a set by all.
"""

Subject: TypeAlias = bytes | int | tuple[bytes, str]

log = structlog.get_logger("engine.hints")


class _Tally:
    """One counter's figures in its present window, by subject."""

    __slots__ = ("changed", "counter", "ends_at_s", "members", "others", "own", "window")

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.window = 0
        self.ends_at_s = 0.0
        self.clear()

    def clear(self) -> None:
        """Nothing counted."""
        self.own: dict[Subject, int] = {}
        self.others: dict[Subject, int] = {}
        self.members: dict[Subject, set[int]] = {}  # only where different ones are counted
        self.changed: dict[Subject, set[int] | None] = {}  # not told yet; with the members that are new

    def turn(self, now_s: float) -> None:
        """Begin a new window if the last one is over. Units: unix seconds of business time."""
        if now_s >= self.ends_at_s:
            self.window = int(now_s) // self.counter.window_s
            self.ends_at_s = float((self.window + 1) * self.counter.window_s)
            self.clear()

    def add(self, subject: Subject, by: int) -> int:
        """Count, and return the figure."""
        own = self.own
        count = own[subject] = own.get(subject, 0) + by
        self.changed[subject] = None
        if len(own) > SUBJECTS_MAX:
            self.clear()  # forgetting is safe: this is a hint
        return count + self.others.get(subject, 0)

    def add_member(self, subject: Subject, member: int) -> int:
        """Count different ones, and return the figure."""
        members = self.members.get(subject)
        if members is None:
            members = self.members[subject] = set()
        if member not in members:
            members.add(member)
            new = self.changed.get(subject)
            if new is None:
                new = self.changed[subject] = set()
            new.add(member)
            self.own[subject] = len(members)
            if len(self.own) > SUBJECTS_MAX:
                self.clear()
        return self.own.get(subject, 0) + self.others.get(subject, 0)

    def take_changed(self) -> "_Told":
        """Some of what is not told yet, which counts as told from now on."""
        changed = self.changed
        subjects = list(islice(changed, LINES_MAX))
        members = [_some(changed, subject) for subject in subjects] if self.counter.counted is Counted.CARDS else []
        if not members:
            for subject in subjects:
                del changed[subject]
        return _Told(self, self.window, subjects, [self.own.get(subject, 0) for subject in subjects], members)


class _Told(NamedTuple):
    """Some of a counter's figures on their way to Valkey, and where the answers belong."""

    tally: _Tally
    window: int
    subjects: list[Subject]
    own: list[int]
    members: list[set[int]]  # where different ones are counted, else empty

    def arguments(self) -> tuple[str, str, int, str]:
        """As the script reads them."""
        counter = self.tally.counter
        prefix = f"risk:{counter.name}:{self.window}:"
        names = [_text(subject) for subject in self.subjects]
        if self.members:
            told = [" ".join([f"{member:x}" for member in members]) for members in self.members]
            return prefix, "set", counter.window_s, "\n".join(map("{} {}".format, names, told))
        return prefix, "sum", counter.window_s, "\n".join(map("{} {}".format, names, self.own))

    def take(self, totals: list[bytes]) -> None:
        """What the others have, unless the window is over: all there is without what this process had then."""
        if self.tally.window == self.window:
            for subject, own, total in zip(self.subjects, self.own, totals, strict=True):
                self.tally.others[subject] = max(0, int(total) - own)

    def give_back(self) -> None:
        """They were not told: they are still to be."""
        if self.tally.window != self.window:
            return
        changed = self.tally.changed
        if not self.members:
            changed.update(dict.fromkeys(self.subjects))
        for subject, members in zip(self.subjects, self.members, strict=False):
            changed[subject] = members | (changed.get(subject) or set())


class RiskCounters:
    """Counts for risk control. `process` tells this one from others in Valkey."""

    def __init__(self, valkey: "aioredis.Redis | None", *, process: str) -> None:
        """Nothing counted yet. Without *valkey* every figure is this process's own."""
        self._tell = valkey.register_script(_TELL) if valkey is not None else None
        self._process = process
        self._tallies = tuple(_Tally(counter) for counter in COUNTERS)
        self._steps = tuple(
            (tally.counter.name, tally, int(tally.counter.per), tally.counter.counted) for tally in self._tallies
        )
        self._counting = {
            counted: tuple((tally, per) for _, tally, per, what in self._steps if what is counted)
            for counted in Counted
        }
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Task[None] | None = None
        self._is_closed = False
        self.is_degraded = valkey is None

    def count_attempt(self, facts: RiskFacts, *, now_s: float) -> Mapping[str, int]:
        """Count a payment that is asked for; returns every figure that concerns it, by its counter's name.

        Units: *now_s* in unix seconds of business time. Takes microseconds, and waits for nothing.
        """
        subjects = _subjects(facts)
        member = _member(facts)
        figures: dict[str, int] = {}
        for name, tally, per, counted in self._steps:
            subject = subjects[per]
            if subject is None:
                continue
            if now_s >= tally.ends_at_s:
                tally.turn(now_s)
            if counted is Counted.ATTEMPTS:
                figures[name] = tally.add(subject, 1)
            elif counted is Counted.CARDS and member is not None:
                figures[name] = tally.add_member(subject, member)
            else:
                figures[name] = tally.own.get(subject, 0) + tally.others.get(subject, 0)
        self._tell_soon()
        return figures

    def note(self, counted: Counted, facts: RiskFacts, *, now_s: float, by: int = 1) -> None:
        """Count something else about a payment, or take an attempt back with a negative *by*."""
        subjects = _subjects(facts)
        for tally, per in self._counting[counted]:
            subject = subjects[per]
            if subject is None:
                continue
            tally.turn(now_s)
            if by > 0 or tally.own.get(subject, 0) + by >= 0:  # what is taken back may be of the window before
                tally.add(subject, by)
        self._tell_soon()

    async def close(self) -> None:
        """Tell what is left to tell, once."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flush is not None:
            await self._flush
        if self._tell is not None:
            await self._tell_all()

    def _tell_soon(self) -> None:
        if self._timer is None and self._tell is not None:
            self._timer = asyncio.get_running_loop().call_later(TELL_S, self._flush_now)

    def _flush_now(self) -> None:
        self._timer = None
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._tell_all())

    async def _tell_all(self) -> None:
        """Tell everything that has changed, some at a time; what cannot be told is told after a while."""
        while batch := [tally.take_changed() for tally in self._tallies if tally.changed]:
            if not await self._tell_batch(batch):
                if self._timer is None and not self._is_closed:
                    self._timer = asyncio.get_running_loop().call_later(RETRY_S, self._flush_now)
                return

    async def _tell_batch(self, batch: list[_Told]) -> bool:
        assert self._tell is not None
        try:
            arguments = [argument for told in batch for argument in told.arguments()]
            answer: bytes = await self._tell(args=[self._process, *arguments])
        except (RedisError, OSError) as error:
            if not self.is_degraded:
                log.warning("risk_counters.degraded", fault=type(error).__name__)
            self.is_degraded = True
            for told in batch:
                told.give_back()
            return False
        self.is_degraded = False
        totals = answer.split()
        for told in batch:
            told.take(totals[: len(told.subjects)])
            del totals[: len(told.subjects)]
        return True


def _subjects(facts: RiskFacts) -> tuple[Subject | None, ...]:
    """By whom is counted, in the order of `Per`."""
    payer: Subject | None = facts.device_no if facts.device_no is not None else facts.card
    return (payer, (facts.merchant, facts.terminal_id), facts.merchant, facts.channel)


def _some(changed: dict[Subject, set[int] | None], subject: Subject) -> set[int]:
    """As many new members of a subject as are told at once; the others go on waiting."""
    members = changed.pop(subject) or set()
    if len(members) <= MEMBERS_MAX:
        return members
    some = set(islice(members, MEMBERS_MAX))
    changed[subject] = members - some
    return some


def _member(facts: RiskFacts) -> int | None:
    """What tells one payer from another, the same in every process."""
    if facts.device_no is not None:
        return facts.device_no
    return int.from_bytes(facts.card) if facts.card is not None else None


def _text(subject: Subject) -> str:
    if isinstance(subject, int):
        return str(subject)
    if isinstance(subject, bytes):
        return subject.hex()
    return f"{subject[0].hex()}:{subject[1]}"
