"""How a channel shows that it works: what each case asks of it, how it is answered on the way, and what that proves.

The engine cannot see what a channel believes. So it judges what the channel did: which calls it made under which keys,
what it says has become of its orders, and how it has answered notifications, genuine and not.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

SKEW_S_MAX: Final = 5
CALLS_MIN: Final = 5
STEPS_MAX: Final = 300

Answered = Literal["done", "replayed", "reused", "declined", "busy", "cut"]
Outcome = Literal["paid", "declined", "unknown"]


class Part(enum.Enum):
    """What a channel passes on its way to being approved."""

    FUNCTION = "function"
    SECURITY = "security"


class Probe(enum.StrEnum):
    """What a notification of a run is like, and so what its receiver has to do with it."""

    GENUINE = "genuine"
    WRONG_SIGNATURE = "wrong_signature"
    CHANGED_BODY = "changed_body"
    STALE = "stale"
    UNSIGNED = "unsigned"
    REPEATED = "repeated"  # the genuine one once more

    @property
    def is_to_be_taken(self) -> bool:
        """True if a receiver that checks what it gets takes it."""
        return self in (Probe.GENUINE, Probe.REPEATED)


class Called(msgspec.Struct, frozen=True, kw_only=True, tag="called"):
    """A practice order was sent. `key` is a digest of the idempotency key; `skew_s` how far off its clock was."""

    case: str
    order_no: str
    key: str
    answered: Answered
    skew_s: int


class Told(msgspec.Struct, frozen=True, kw_only=True, tag="told"):
    """The channel has said what became of an order."""

    case: str
    order_no: str
    outcome: Outcome


class Notified(msgspec.Struct, frozen=True, kw_only=True, tag="notified"):
    """A notification was sent. `status` None: there was no answer."""

    probe: Probe
    status: int | None


Step = Called | Told | Notified
STEPS: Final = msgspec.json.Decoder(Step)


class Verdict(msgspec.Struct, frozen=True):
    """What the steps prove of a case; None: not yet."""

    is_passed: bool | None
    finding: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `first_answer` is how its first call for an order is answered."""

    name: str
    part: Part
    task: str
    judge: Callable[[Sequence[Step]], Verdict]
    first_answer: Answered = "done"


_OPEN: Final = Verdict(None, "")


def answer_to(case: Case, steps: Sequence[Step], order_no: str) -> Answered:
    """How the next call about an order is answered, as far as it is not a repeat of one that was done."""
    if case.first_answer == "declined" or not _calls(steps, case.name, order_no):
        return case.first_answer
    return "done"


def judge(steps: Sequence[Step]) -> dict[str, Verdict]:
    """The verdict on each case, by its name."""
    return {case.name: case.judge(steps) for case in CASES}


def has_passed(part: Part, verdicts: Mapping[str, Verdict]) -> bool:
    """True if every case of a part is passed."""
    return all(verdicts[case.name].is_passed for case in CASES if case.part is part)


def _calls(steps: Sequence[Step], case: str, order_no: str | None = None) -> list[Called]:
    return [
        step for step in steps if isinstance(step, Called) and step.case == case and order_no in (None, step.order_no)
    ]


def _told(steps: Sequence[Step], case: str) -> list[Told]:
    return [step for step in steps if isinstance(step, Told) and step.case == case]


def _one_key_an_order(calls: Sequence[Called]) -> Verdict | None:
    """A failure if an order was sent under a second key: that is how a payment is made twice."""
    keys: dict[str, str] = {}
    for call in calls:
        if keys.setdefault(call.order_no, call.key) != call.key:
            return Verdict(False, "an order was sent again under another idempotency key")
    return None


def _signed_request(steps: Sequence[Step]) -> Verdict:
    done = _calls(steps, "signed_request")
    return Verdict(True, "a signed order was taken") if done else _OPEN


def _same_key(steps: Sequence[Step]) -> Verdict:
    calls = _calls(steps, "same_key")
    wrong = _one_key_an_order(calls)
    if wrong is not None:
        return wrong
    if any(call.answered == "replayed" for call in calls):
        return Verdict(True, "the repeat was answered from memory")
    return _OPEN


def _new_key(steps: Sequence[Step]) -> Verdict:
    calls = _calls(steps, "new_key")
    if any(call.answered == "reused" for call in calls):
        return Verdict(False, "one idempotency key was used for two orders")
    done = {(call.order_no, call.key) for call in calls if call.answered == "done"}
    return Verdict(True, "two orders under two keys") if len(done) > 1 else _OPEN


def _decline(steps: Sequence[Step]) -> Verdict:
    calls, told = _calls(steps, "decline"), _told(steps, "decline")
    if len({call.key for call in calls}) > 1:
        return Verdict(False, "a declined order was tried again")
    if any(one.outcome != "declined" for one in told):
        return Verdict(False, "a declined order was taken for another outcome")
    if not {one.order_no for one in told} <= {call.order_no for call in calls}:
        return Verdict(False, "an order was told of that was never sent")
    return Verdict(True, "the decline was told") if told else _OPEN


def _lost_answer(steps: Sequence[Step]) -> Verdict:
    calls, told = _calls(steps, "lost_answer"), _told(steps, "lost_answer")
    wrong = _one_key_an_order(calls)
    if wrong is not None:
        return wrong
    found_out: set[str] = set()
    for step in steps:
        if isinstance(step, Called) and step.case == "lost_answer" and step.answered == "replayed":
            found_out.add(step.order_no)
        if isinstance(step, Told) and step.case == "lost_answer" and step.order_no not in found_out:
            return Verdict(False, "an order without an answer was settled without asking again")
    if any(one.outcome != "paid" for one in told):
        return Verdict(False, "an order that was paid was taken for another outcome")
    return Verdict(True, "it asked again under the same key") if told else _OPEN


def _busy(steps: Sequence[Step]) -> Verdict:
    calls = _calls(steps, "busy")
    wrong = _one_key_an_order(calls)
    if wrong is not None:
        return wrong
    return Verdict(True, "it came again") if any(call.answered in ("done", "replayed") for call in calls) else _OPEN


def _clock(steps: Sequence[Step]) -> Verdict:
    skews = [abs(step.skew_s) for step in steps if isinstance(step, Called)]
    if skews and max(skews) > SKEW_S_MAX:
        return Verdict(False, f"a request was signed {max(skews)} s off")
    return Verdict(True, "its clock is right") if len(skews) >= CALLS_MIN else _OPEN


def _notification(probe: Probe) -> Callable[[Sequence[Step]], Verdict]:
    def judged(steps: Sequence[Step]) -> Verdict:
        statuses = [step.status for step in steps if isinstance(step, Notified) and step.probe is probe]
        if not statuses:
            return _OPEN
        wanted = range(200, 300) if probe.is_to_be_taken else range(400, 500)
        is_passed = all(status in wanted for status in statuses)
        return Verdict(is_passed, f"answered with {', '.join(str(status or 'nothing') for status in statuses)}")

    return judged


CASES: Final[tuple[Case, ...]] = (
    Case(
        name="signed_request",
        part=Part.FUNCTION,
        task="Send a practice order, signed with the channel's key.",
        judge=_signed_request,
    ),
    Case(
        name="same_key",
        part=Part.FUNCTION,
        task="Send a practice order twice under one idempotency key, as if its answer had been lost.",
        judge=_same_key,
    ),
    Case(
        name="new_key",
        part=Part.FUNCTION,
        task="Send two practice orders, each under an idempotency key of its own.",
        judge=_new_key,
    ),
    Case(
        name="decline",
        part=Part.FUNCTION,
        task="Send a practice order, which is declined, and tell that it is.",
        judge=_decline,
        first_answer="declined",
    ),
    Case(
        name="lost_answer",
        part=Part.FUNCTION,
        task="Send a practice order, whose answer is cut off; find out what became of it, and tell that.",
        judge=_lost_answer,
        first_answer="cut",
    ),
    Case(
        name="busy",
        part=Part.FUNCTION,
        task="Send a practice order, which is answered with 503 and Retry-After; wait, and send it again.",
        judge=_busy,
        first_answer="busy",
    ),
    Case(
        name="clock",
        part=Part.SECURITY,
        task=f"Sign at least {CALLS_MIN} practice orders, each within {SKEW_S_MAX} s of the engine's clock.",
        judge=_clock,
    ),
    *(
        Case(
            name=f"notification_{probe}",
            part=Part.SECURITY,
            task=f"{'Take' if probe.is_to_be_taken else 'Refuse, with a status of 4xx,'} the {probe} notification.",
            judge=_notification(probe),
        )
        for probe in Probe
    ),
)
BY_NAME: Final[Mapping[str, Case]] = {case.name: case for case in CASES}
PRACTISED: Final = tuple(case.name for case in CASES if case.part is Part.FUNCTION)
"""The cases that practice orders are sent for."""
