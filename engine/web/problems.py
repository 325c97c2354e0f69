"""Refusals on the wire: one total table from each refusal to its status and its texts (RFC 9457)."""

from typing import Final

import msgspec

from engine.core.refusals import Refusal
from engine.web.problem_text import Problem
from engine.web.problem_texts import PROBLEMS

__all__ = ["PROBLEMS", "FieldError", "Problem", "ProblemDocument"]


class FieldError(msgspec.Struct, frozen=True):
    """One field of the request, by JSON pointer, and what is wrong with it."""

    pointer: str
    reason: str


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that says no."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    retryable: bool
    payment_id: str | None = None
    errors: tuple[FieldError, ...] = ()


_BY_SLUG: Final = {refusal.slug: refusal for refusal in Refusal}


def refusal_of(slug: str) -> Refusal | None:
    """The refusal that a slug names."""
    return _BY_SLUG.get(slug)


def prefers_chinese(accept_language: str | None) -> bool:
    """True if the first language of an Accept-Language header is Chinese."""
    return accept_language is not None and accept_language.lstrip().lower().startswith("zh")


def problem_document(
    refusal: Refusal,
    *,
    instance: str,
    trace_id: str,
    in_chinese: bool,
    payment_id: str | None = None,
    errors: tuple[FieldError, ...] = (),
) -> ProblemDocument:
    """The document that tells a refusal. *instance* is the path of the request."""
    problem = PROBLEMS[refusal]
    return ProblemDocument(
        type=f"/problems/{refusal.slug}",
        title=problem.zh if in_chinese else problem.en,
        status=problem.status,
        detail=problem.todo_zh if in_chinese else problem.todo_en,
        instance=instance,
        code=refusal.slug,
        trace_id=trace_id,
        retryable=problem.is_retryable,
        payment_id=payment_id,
        errors=errors,
    )
