"""Every refusal can be told: a status, texts in both languages, and a page."""

import re
from html import unescape

import pytest

from engine.core.refusals import Refusal
from engine.web import meta
from engine.web.problems import PROBLEMS, FieldError, prefers_chinese, problem_document, refusal_of

SLUG = re.compile(r"[a-z]+(?:-[a-z]+)*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_every_refusal_is_told() -> None:
    assert set(Refusal) == set(PROBLEMS)


def test_problems_stand_in_order_of_precedence() -> None:
    assert list(Refusal) == list(PROBLEMS)


@pytest.mark.parametrize("refusal", Refusal)
def test_slug_is_lower_case_words_and_leads_back(refusal: Refusal) -> None:
    assert SLUG.fullmatch(refusal.slug)
    assert refusal is refusal_of(refusal.slug)


def test_unknown_slug_names_no_refusal() -> None:
    assert refusal_of("insufficient_funds") is None


@pytest.mark.parametrize("refusal", Refusal)
def test_both_languages_say_what_is_wrong_and_what_to_do(refusal: Refusal) -> None:
    problem = PROBLEMS[refusal]
    for chinese in (problem.zh, problem.todo_zh):
        assert CHINESE.search(chinese)
    for english in (problem.en, problem.todo_en):
        assert english.strip()
        assert not CHINESE.search(english)


@pytest.mark.parametrize("refusal", Refusal)
def test_status_is_one_of_an_error(refusal: Refusal) -> None:
    assert 400 <= PROBLEMS[refusal].status < 600


@pytest.mark.parametrize("refusal", Refusal)
def test_retryable_says_when(refusal: Refusal) -> None:
    problem = PROBLEMS[refusal]
    assert problem.is_retryable == (problem.retry_after_s is not None)
    assert problem.retry_after_s is None or problem.retry_after_s > 0


@pytest.mark.parametrize("refusal", [refusal for refusal, problem in PROBLEMS.items() if problem.status in (429, 503)])
def test_what_passes_by_itself_is_retryable(refusal: Refusal) -> None:
    assert PROBLEMS[refusal].is_retryable


@pytest.mark.parametrize(
    ("accept_language", "in_chinese"),
    [
        (None, False),
        ("", False),
        ("en", False),
        ("en, zh;q=0.9", False),
        ("zh", True),
        ("zh-CN,zh;q=0.9,en;q=0.8", True),
        (" ZH-Hans", True),
    ],
)
def test_first_language_decides(accept_language: str | None, in_chinese: bool) -> None:
    assert in_chinese == prefers_chinese(accept_language)


@pytest.mark.parametrize("in_chinese", [True, False])
@pytest.mark.parametrize("refusal", Refusal)
def test_document_is_told_in_the_language_asked_for(refusal: Refusal, in_chinese: bool) -> None:
    document = problem_document(
        refusal,
        instance="/v1/payments",
        trace_id=TRACE_ID,
        in_chinese=in_chinese,
        errors=(FieldError("/amount", "required"),),
    )
    problem = PROBLEMS[refusal]
    assert (f"/problems/{refusal.slug}", refusal.slug) == (document.type, document.code)
    assert (problem.status, problem.is_retryable) == (document.status, document.retryable)
    assert ((problem.zh, problem.todo_zh) if in_chinese else (problem.en, problem.todo_en)) == (
        document.title,
        document.detail,
    )
    assert (FieldError("/amount", "required"),) == document.errors


@pytest.mark.parametrize("in_chinese", [True, False])
@pytest.mark.parametrize("refusal", Refusal)
def test_page_tells_all_of_a_refusal(refusal: Refusal, in_chinese: bool) -> None:
    page = meta.problem_page(refusal, in_chinese=in_chinese)
    problem = PROBLEMS[refusal]
    assert f'<html lang="{"zh-CN" if in_chinese else "en"}">' in page
    for text in (refusal.slug, f"HTTP {problem.status}", problem.zh, problem.todo_zh, problem.en, problem.todo_en):
        assert text in unescape(page)


@pytest.mark.parametrize("in_chinese", [True, False])
def test_page_escapes_its_texts(in_chinese: bool) -> None:
    page = meta.problem_page(Refusal.INSUFFICIENT_FUNDS, in_chinese=in_chinese)
    assert "cardholder's" in PROBLEMS[Refusal.INSUFFICIENT_FUNDS].en
    assert "cardholder&#x27;s" in page
    assert "cardholder's" not in page
