"""What a payment would do, as the wire shows it: the decision, its postings, and what they leave behind."""

from engine.core.accounts import personal_account
from engine.core.books import Books, Decision
from engine.core.calendar import cycle_text
from engine.core.payments import Mode, TenderKind
from engine.core.postings import Phase
from engine.core.refusals import Refusal
from engine.core.violations import account_name
from engine.web.render import payment_of_answer
from engine.web.wire_dry_run import BalanceView, DryRunView, PostingView


def dry_run_view(decision: Decision, books: Books) -> DryRunView:
    """A decision that was not carried out. The cardholder's bank card is shown by what the day leaves of it.

    What is left is shown for a code only: a card's number is printed on it, and no password was looked at.
    """
    answer = decision.answer
    refusal = Refusal(answer.refusal) if answer.refusal is not None else None
    balances = []
    payer = decision.payer
    payment = decision.payment
    if payer is not None and refusal is None and payment is not None and payment.mode is not Mode.CARD_READ:
        day = books.control.business_date
        kinds = {tender.kind for tender in payment.tenders}
        if TenderKind.PERSONAL_ACCOUNT in kinds:
            name = account_name(personal_account(payer.id))
            balances.append(BalanceView(account=name, available=payer.personal_account_available))
        if TenderKind.BANK_CARD in kinds:
            left = max(0, payer.bank_allowance - payer.spent_on(day))
            balances.append(BalanceView(account="bank_card", available=left))
    return DryRunView(
        would_be_refused=refusal is not None,
        code=refusal.slug if refusal is not None else None,
        payment=payment_of_answer(answer) if answer.payment is not None else None,
        postings=tuple(
            PostingView(
                phase=_PHASES[posting.phase],
                debit=account_name(posting.debit),
                credit=account_name(posting.credit),
                amount=posting.amount,
            )
            for posting in decision.postings
        ),
        balances=tuple(balances),
        cycle=cycle_text(books.control.cycle),
    )


_PHASES = {phase: phase.name.lower() for phase in Phase}
