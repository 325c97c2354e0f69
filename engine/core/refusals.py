"""Every reason for which the engine says no, in order of precedence."""

import enum


class Refusal(enum.Enum):
    """The first reason that applies is the one returned. The order is a contract.

    The value is stable: it is stored in answers, and its slug (``-`` for ``_``) is the ``code`` of a
    problem document. Status and texts are one total table, `engine.web.problems`.
    """

    # The request itself.
    BODY_TOO_LARGE = "body_too_large"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_EXPIRED = "signature_expired"
    SIGNATURE_KEY_UNKNOWN = "signature_key_unknown"
    CONTENT_DIGEST_MISMATCH = "content_digest_mismatch"
    REQUEST_REPLAYED = "request_replayed"
    CALLER_SUSPENDED = "caller_suspended"
    CHANNEL_SUSPENDED = "channel_suspended"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    MALFORMED_JSON = "malformed_json"
    DUPLICATE_FIELD = "duplicate_field"
    UNKNOWN_FIELD = "unknown_field"
    FIELD_INVALID = "field_invalid"
    AMOUNT_INVALID = "amount_invalid"

    # Has it been asked before? Judged ahead of every state, so that a lost answer can always be fetched.
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    IDEMPOTENCY_KEY_IN_PROGRESS = "idempotency_key_in_progress"

    # The caller's side.
    MERCHANT_SUSPENDED = "merchant_suspended"
    TERMINAL_UNKNOWN = "terminal_unknown"
    SCENARIO_NOT_ENABLED = "scenario_not_enabled"
    NOT_FOUND = "not_found"
    PAYMENT_NOT_FOUND = "payment_not_found"
    ORDER_ALREADY_PAID = "order_already_paid"
    ORDER_NUMBER_USED = "order_number_used"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_EXPIRED = "order_expired"
    ORDER_AMOUNT_CHANGED = "order_amount_changed"
    ORDER_CODE_MALFORMED = "order_code_malformed"
    BILL_ALREADY_PAID = "bill_already_paid"
    BILL_EXPIRED = "bill_expired"
    AMOUNT_MISMATCH = "amount_mismatch"
    BILL_INVALID = "bill_invalid"
    AMOUNT_NOT_BALANCED = "amount_not_balanced"
    QUOTE_EXPIRED = "quote_expired"
    CALLBACK_URL_NOT_ALLOWED = "callback_url_not_allowed"
    TICKET_INVALID = "ticket_invalid"
    TICKET_REPEATED = "ticket_repeated"
    TICKET_SEQUENCE_GAP = "ticket_sequence_gap"

    # The cardholder's side.
    PAY_CODE_MALFORMED = "pay_code_malformed"
    PAY_CODE_FOREIGN = "pay_code_foreign"
    PAY_CODE_WRONG = "pay_code_wrong"
    PAY_CODE_EXPIRED = "pay_code_expired"
    PAY_CODE_USED = "pay_code_used"
    CODE_SCENE_NOT_ALLOWED = "code_scene_not_allowed"
    DEVICE_REVOKED = "device_revoked"
    CARD_REPORTED_LOST = "card_reported_lost"
    CARD_NOT_USABLE = "card_not_usable"
    PAYMENT_NOT_ENABLED = "payment_not_enabled"
    RELATIVE_NOT_LINKED = "relative_not_linked"
    ID_NUMBER_INVALID = "id_number_invalid"
    IDENTITY_MISMATCH = "identity_mismatch"
    CARD_ALREADY_EXISTS = "card_already_exists"
    BANK_ACCOUNT_MISMATCH = "bank_account_mismatch"
    BANK_ACCOUNT_NOT_ACTIVATED = "bank_account_not_activated"
    REAUTHENTICATION_REQUIRED = "reauthentication_required"
    RELATIVES_TOO_MANY = "relatives_too_many"
    DEVICES_TOO_MANY = "devices_too_many"
    PASSKEYS_TOO_MANY = "passkeys_too_many"
    BIOMETRIC_REJECTED = "biometric_rejected"
    NO_BENEFIT_TO_CERTIFY = "no_benefit_to_certify"
    PASSKEY_INVALID = "passkey_invalid"
    LOGIN_CODE_EXPIRED = "login_code_expired"
    LOGIN_CODE_USED = "login_code_used"
    LOGIN_CODE_BOUND_TO_OTHER = "login_code_bound_to_other"
    REDIRECT_NOT_ALLOWED = "redirect_not_allowed"
    UNPAID_RIDE = "unpaid_ride"
    PASSWORD_BLOCK_INVALID = "password_block_invalid"
    PASSWORD_BLOCK_EXPIRED = "password_block_expired"
    PASSWORD_LOCKED = "password_locked"
    PASSWORD_INCORRECT = "password_incorrect"
    PLAN_MISSING = "plan_missing"
    PRESETTLEMENT_CHANGED = "presettlement_changed"
    LIMIT_EXCEEDED = "limit_exceeded"
    RISK_DECLINED = "risk_declined"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    INSUFFICIENT_FUNDS = "insufficient_funds"

    # The life of a payment, and of a card.
    PAYMENT_STATE_CONFLICT = "payment_state_conflict"
    CONFIRMATION_TIMEOUT = "confirmation_timeout"
    CAPTURE_EXCEEDS_AUTHORIZATION = "capture_exceeds_authorization"
    REFUND_EXCEEDS_PAYMENT = "refund_exceeds_payment"
    REFUND_WINDOW_CLOSED = "refund_window_closed"
    NEWER_SETTLEMENT_EXISTS = "newer_settlement_exists"

    # Who takes part, and four eyes.
    SCOPE_NOT_AUTHORIZED = "scope_not_authorized"
    REGION_NOT_PERMITTED = "region_not_permitted"
    REGION_UNKNOWN = "region_unknown"
    REGION_NOT_SERVED = "region_not_served"
    CONSENT_REQUIRED = "consent_required"
    DEPARTMENT_NOT_AUTHORIZED = "department_not_authorized"
    CHANNEL_NOT_AUTHORIZED = "channel_not_authorized"
    PURPOSE_REQUIRED = "purpose_required"
    ERASURE_NOT_DUE = "erasure_not_due"
    CHANNEL_TESTS_MISSING = "channel_tests_missing"
    CHANNEL_STATE_CONFLICT = "channel_state_conflict"
    PARTICIPANT_EXISTS = "participant_exists"
    PARTICIPANT_STATE_CONFLICT = "participant_state_conflict"
    SCENARIO_STATE_CONFLICT = "scenario_state_conflict"
    LOCAL_PLATFORM_STATE_CONFLICT = "local_platform_state_conflict"
    LOCAL_PLATFORM_NOT_EQUAL = "local_platform_not_equal"
    RISK_RULE_CHANGED = "risk_rule_changed"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_DECIDED = "approval_decided"
    APPROVAL_REQUIRED = "approval_required"

    # Agencies: what they collect and what they pay out.
    BILL_NUMBER_USED = "bill_number_used"
    BENEFIT_REGISTERED = "benefit_registered"
    DISBURSEMENT_DUPLICATE = "disbursement_duplicate"
    DISBURSEMENT_STATE_CONFLICT = "disbursement_state_conflict"

    # Applications.
    FORM_INVALID = "form_invalid"
    APPLICATION_DUPLICATE = "application_duplicate"
    APPLICATION_STATE_CONFLICT = "application_state_conflict"

    # Clearing.
    CLEARING_FILE_NOT_READY = "clearing_file_not_ready"
    FILE_DUPLICATE = "file_duplicate"
    FILE_MALFORMED = "file_malformed"
    CONTROL_TOTAL_MISMATCH = "control_total_mismatch"
    FILE_ACKNOWLEDGED = "file_acknowledged"
    SETTLEMENT_NOT_INSTRUCTED = "settlement_not_instructed"
    SETTLEMENT_REFERENCE_USED = "settlement_reference_used"
    SETTLEMENT_FINAL = "settlement_final"

    # Nothing was decided: the same request with the same key may succeed.
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    OVERLOADED = "overloaded"
    STORE_UNAVAILABLE = "store_unavailable"

    @property
    def slug(self) -> str:
        """The refusal's name on the wire, such as ``insufficient-funds``."""
        return self.value.replace("_", "-")
