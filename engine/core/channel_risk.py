"""Dynamic risk of channels: which figures of a minute stop one by themselves, until an operator lets it go on."""

from typing import Final

import msgspec

from engine.core.channels import StopKind

FAULTY_STATUSES: Final = frozenset({400, 401, 404, 405, 413, 415, 429})
"""What a channel that works is seldom answered: no cardholder brings these about."""

SANDBOX_FACTOR: Final = 1_000


class ChannelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel did in one minute. Requests that nobody can be shown to have signed are only in the last one."""

    requests: int = 0
    errors: int = 0
    signature_failures: int = 0

    def __add__(self, other: "ChannelFigures") -> "ChannelFigures":
        """Both together."""
        return ChannelFigures(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            signature_failures=self.signature_failures + other.signature_failures,
        )


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True):
    """From `least` in a minute on, and with `percent` of the requests being errors, the rule stops a channel."""

    name: str
    kind: StopKind
    is_signatures: bool = False  # counts these, and no share
    least: int
    percent: int = 0

    def hits(self, figures: ChannelFigures) -> bool:
        """True if the figures are as bad as that."""
        if self.is_signatures:
            return figures.signature_failures >= self.least
        return figures.requests >= self.least and figures.errors * 100 >= figures.requests * self.percent


CHANNEL_RULES: Final[tuple[ChannelRule, ...]] = (
    ChannelRule(name="error_share_extreme", kind=StopKind.SUSPEND, least=1_000, percent=90),
    ChannelRule(name="error_share", kind=StopKind.RECTIFY, least=200, percent=50),
    # Whoever knows a key's name can send wrong signatures under it: so these never suspend, they only stop it from
    # taking on more cardholders until somebody has looked.
    ChannelRule(name="signature_failures", kind=StopKind.RECTIFY, is_signatures=True, least=300),
)


def worst_hit(figures: ChannelFigures, rules: tuple[ChannelRule, ...]) -> ChannelRule | None:
    """The rule that hits and does the most; None if none does."""
    return max((rule for rule in rules if rule.hits(figures)), key=lambda rule: rule.kind, default=None)


def lifted(rules: tuple[ChannelRule, ...], factor: int = SANDBOX_FACTOR) -> tuple[ChannelRule, ...]:
    """The rules with so many times the figures: in a sandbox people try wrong requests on purpose."""
    return tuple(msgspec.structs.replace(rule, least=rule.least * factor) for rule in rules)


def evidence_of(rule: ChannelRule, figures: ChannelFigures, *, minute: str) -> str:
    """What the order says that the rule has found."""
    return (
        f"{rule.name}: minute {minute}, {figures.requests} requests, {figures.errors} errors,"
        f" {figures.signature_failures} signature failures; from {rule.least}"
        + ("" if rule.is_signatures else f" requests with {rule.percent} % errors")
        + " on"
    )
