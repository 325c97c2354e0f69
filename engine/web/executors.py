"""Who does what two operators have agreed on: one line a kind."""

from engine.core.approvals import ApprovalKind
from engine.flows.applications.offices import let_in_office
from engine.flows.approve import Executors
from engine.flows.change_cap import change_cap
from engine.flows.change_risk_rule import set_rule
from engine.flows.channels.admission import change_terms, make_move
from engine.flows.channels.keys import GiveChannelKey
from engine.flows.channels.stops import lift
from engine.flows.consents.grants import GrantAccess
from engine.flows.correct import Corrections
from engine.flows.disburse import Payments
from engine.flows.import_participants import bring_in
from engine.flows.inquiry.sources import use_source
from engine.flows.participant_keys import GiveKey
from engine.flows.personal_data.erase import ErasePerson
from engine.flows.register_participants import Register, change_participant, give_fund
from engine.flows.suspend_participant import reinstate
from engine.flows.switch_scenario import switch_on
from engine.flows.territory.move_platform import let_in, region_on
from engine.web.node import Node


def executors_of(node: Node) -> Executors:
    """The executors of this node. What is plain SQL is an effect, everything else an action."""
    corrections = Corrections(node.ledger, node.pool, node.database_url, node.signing_keys[0])
    return Executors(
        effects={
            ApprovalKind.REGISTER_PARTICIPANT: Register(node.keyring, node.ids),
            ApprovalKind.CHANGE_PARTICIPANT: change_participant,
            ApprovalKind.CHANGE_KEYS: GiveKey(node.keyring, node.ids),
            ApprovalKind.REINSTATE_PARTICIPANT: reinstate,
            ApprovalKind.IMPORT_PARTICIPANTS: bring_in,
            ApprovalKind.ASSIGN_FUND: give_fund,
            ApprovalKind.NET_DEBIT_CAP: change_cap,
            ApprovalKind.SWITCH_SCENARIO_ON: switch_on,
            ApprovalKind.RISK_RULE: set_rule,
            ApprovalKind.CHANNEL_MOVE: make_move,
            ApprovalKind.CHANNEL_TERMS: change_terms,
            ApprovalKind.CHANNEL_KEY: GiveChannelKey(node.keyring, node.ids),
            ApprovalKind.LIFT_STOP: lift,
            ApprovalKind.GRANT_ACCESS: GrantAccess(node.ids),
            ApprovalKind.INQUIRY_SOURCE: use_source,
            ApprovalKind.OPEN_BALANCES: let_in,
            ApprovalKind.SWITCH_REGION_ON: region_on,
            ApprovalKind.OPEN_OFFICE: let_in_office,
            ApprovalKind.ERASE_PERSON: ErasePerson(node.keyring, node.ids),
        },
        actions={
            ApprovalKind.REISSUE_FILE: corrections.reissue,
            ApprovalKind.MANUAL_POSTING: corrections.post,
            ApprovalKind.RESOLVE_DIFFERENCE: corrections.resolve,
            ApprovalKind.DISBURSEMENT: Payments(node.pool, node.ledger, node.ids, node.eligibility),
        },
    )
