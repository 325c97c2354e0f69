"""Commands about a card and its holder's settings, which move no payment."""

from engine.core.cards import CardMove
from engine.core.command import Command, Fact, Operation, PasswordProof, Subject
from engine.core.ids import CardId, shard_of
from engine.core.payer import TenderOrder


class ReportLoss(Command, frozen=True, kw_only=True, gc=False):
    """Stop a card: after the answer no authorization can use it."""

    operation = Operation.REPORT_LOSS
    facts_named = ("id",)

    card: CardId

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(),)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class Reinstate(Command, frozen=True, kw_only=True, gc=False):
    """Let a card that was reported lost pay again."""

    operation = Operation.REINSTATE
    facts_named = ("id",)

    card: CardId

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(),)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class SetPassword(Command, frozen=True, kw_only=True, gc=False):
    """Let the password of this version be the card's from now on; wrong tries are forgotten."""

    operation = Operation.SET_PASSWORD
    facts_named = ("id", "new_password_block")

    card: CardId
    version: int  # 0: the old one was not right, and no other was written down
    password: PasswordProof | None = None
    """The old one. None: it is not asked for, either because there is none or of whoever may do without."""
    is_first: bool = False
    """Only if the card has no password yet."""
    digest: str | None = None
    """Names the new one as it was sent, and does not give it away."""

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), self.digest)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class ChangeSettings(Command, frozen=True, kw_only=True, gc=False):
    """Take a cardholder's own settings: up to what amount no password is asked for, and what pays first."""

    operation = Operation.CHANGE_SETTINGS
    facts_named = ("id", "no_password_up_to", "tender_order")

    card: CardId
    no_password_up_to: int | None
    tender_order: TenderOrder | None

    def facts(self) -> tuple[Fact, ...]:
        order = int(self.tender_order) if self.tender_order is not None else None
        return (self.card.hex(), self.no_password_up_to, order)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class OpenAccount(Command, frozen=True, kw_only=True, gc=False):
    """Bring in the balance of a personal account. Units: fen."""

    operation = Operation.OPEN_ACCOUNT
    facts_named = ("id", "amount")

    card: CardId
    amount: int

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), self.amount)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class ChangeCard(Command, frozen=True, kw_only=True, gc=False):
    """Move a card on in its life. *reason* stays in the journal, so it names nobody."""

    operation = Operation.CHANGE_CARD
    facts_named = ("id", "move", "reason")

    card: CardId
    move: CardMove
    reason: str | None

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), int(self.move), self.reason)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class ChangeFamily(Command, frozen=True, kw_only=True, gc=False):
    """Let a relative's personal account help with a card's medical bills, or not any more.

    One that is to end is ended only if it is still this relative who helps.
    """

    operation = Operation.CHANGE_FAMILY
    facts_named = ("id", "relative", "is_linked")

    card: CardId
    relative: CardId
    is_linked: bool

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), self.relative.hex(), self.is_linked)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)
