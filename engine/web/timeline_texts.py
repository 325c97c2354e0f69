"""The words of a payment's timeline, in Chinese and in English."""

from collections.abc import Mapping
from typing import Final

from engine.core.differences import Said
from engine.core.payment_timeline import Step, StepKind

# `{yuan}` is the step's amount, anything else one of its ids.
TEXTS: Final[Mapping[StepKind, Said]] = {
    StepKind.AUTHORIZED: Said("已扫码,预授权 {yuan} 元", "Scanned; {yuan} yuan authorized"),
    StepKind.CAPTURED: Said("支付成功 {yuan} 元", "Paid {yuan} yuan"),
    StepKind.PART_CAPTURED: Said("部分入账 {yuan} 元", "Captured {yuan} yuan of the hold"),
    StepKind.DECLINED: Said("支付 {yuan} 元被拒绝({code})", "Payment of {yuan} yuan declined ({code})"),
    StepKind.VOIDED: Said("已撤销,解冻 {yuan} 元", "Voided; {yuan} yuan released"),
    StepKind.EXPIRED: Said("授权已过期,解冻 {yuan} 元", "Hold lapsed; {yuan} yuan released"),
    StepKind.REFUNDED: Said("已退款 {yuan} 元", "Refunded {yuan} yuan"),
    StepKind.ORDER_CANCELLED: Said("订单已冲正", "Order cancelled"),
    StepKind.REFUSED: Said("请求被拒绝({code})", "Request refused ({code})"),
    StepKind.RETURNED: Said("银行 {bank} 退回 {yuan} 元({reason})", "Bank {bank} gave back {yuan} yuan ({reason})"),
    StepKind.HELD: Said("冻结 {yuan} 元,分录 {posting}", "{yuan} yuan held, posting {posting}"),
    StepKind.RELEASED: Said("解冻 {yuan} 元,分录 {posting}", "{yuan} yuan released, posting {posting}"),
    StepKind.POSTED: Said(
        "记账 {yuan} 元,分录 {posting},场次 {cycle}", "{yuan} yuan posted, posting {posting}, cycle {cycle}"
    ),
    StepKind.RETURN_POSTED: Said(
        "退回已记账 {yuan} 元,分录 {posting},场次 {cycle}",
        "Return of {yuan} yuan posted, posting {posting}, cycle {cycle}",
    ),
    StepKind.PRESENTED_AGAIN: Said(
        "再次提出 {yuan} 元,分录 {posting},场次 {cycle}",
        "{yuan} yuan presented again, posting {posting}, cycle {cycle}",
    ),
    StepKind.ADJUSTED: Said("调整 {yuan} 元,分录 {posting}", "{yuan} yuan adjusted, posting {posting}"),
    StepKind.CYCLE_CLOSED: Said("场次 {cycle} 已截止", "Cycle {cycle} closed"),
    StepKind.FILE_LINE: Said("清算文件 {file} 第 {line} 笔", "Clearing file {file}, item {line}"),
    StepKind.PUBLISHED: Said("场次 {cycle} 的文件已发布", "Files of cycle {cycle} published"),
    StepKind.PULLED: Said("银行 {bank} 已取文件 {file}", "Bank {bank} pulled {file}"),
    StepKind.ACKNOWLEDGED: Said("银行 {bank} 已回执文件 {file}", "Bank {bank} acknowledged {file}"),
    StepKind.DROPPED: Said(
        "{yuan} 元不随场次 {cycle} 清算({reason})", "{yuan} yuan not settled with cycle {cycle} ({reason})"
    ),
    StepKind.SETTLED: Said("场次 {cycle} 已结算", "Cycle {cycle} settled"),
    StepKind.STATEMENT_LINE: Said(
        "银行 {bank} 对账单 {statement} 第 {statement_line} 行相符",
        "Statement {statement} of bank {bank} agrees in line {statement_line}",
    ),
    StepKind.DIFFERENCE: Said(
        "与银行 {bank} 对账单 {statement} 有差异({class})",
        "Differs from statement {statement} of bank {bank} ({class})",
    ),
    StepKind.DIFFERENCE_SETTLED: Said(
        "与银行 {bank} 对账单 {statement} 的差异已处理({state})",
        "Difference from statement {statement} of bank {bank} settled ({state})",
    ),
}
_FEN_A_YUAN: Final = 100


def step_text(step: Step, *, in_chinese: bool) -> str:
    """What happened, for a person."""
    said = TEXTS[step.kind]
    return (said.zh if in_chinese else said.en).format_map(_Values(step))


class _Values(dict[str, str]):
    """The values of a text. What a step does not have reads as a dash."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.ids)
        if step.amount is not None:
            yuan, fen = divmod(step.amount, _FEN_A_YUAN)
            self["yuan"] = f"{yuan}.{fen:02d}"

    def __missing__(self, name: str) -> str:
        return "–"
