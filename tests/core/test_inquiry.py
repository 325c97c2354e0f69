"""The topics, and the rest that a failing region is given."""

from datetime import date

import msgspec
import pytest

from engine.core.consents import Scope
from engine.core.inquiry import FAILURES_MAX, REST_S, TOPICS, Breaker, Topic, VocationalSkill


def test_seven_topics_each_with_a_scope_of_its_own() -> None:
    assert list(TOPICS) == [scope.value for scope in Scope][:7]
    assert len({topic.record for topic in TOPICS.values()}) == len(TOPICS) == 7


@pytest.mark.parametrize("topic", list(TOPICS.values()), ids=list(TOPICS))
def test_what_makes_a_record_the_same_is_always_there(topic: Topic) -> None:
    required = {field.name for field in msgspec.structs.fields(topic.record) if field.required}
    assert topic.key
    assert required >= {*topic.key, "region"}


def test_repr_shows_nothing_of_the_person() -> None:
    skill = VocationalSkill(
        region="110101",
        occupation="电工",
        level=2,
        certificate_no="S-1",
        issued_on=date(2026, 1, 5),
        institution="鉴定站",
    )
    assert repr(skill) == "VocationalSkill(region='110101')"


def test_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_MAX - 1):
        breaker = breaker.failed(0)
    assert breaker.answered() == Breaker()
    assert breaker.may_call(0)
    assert not breaker.failed(0).may_call(REST_S - 1)


def test_one_call_tries_whether_the_rest_was_enough() -> None:
    resting = Breaker(FAILURES_MAX, 0.0)
    assert not resting.may_call(REST_S - 0.1)
    assert resting.may_call(REST_S)
    trying = resting.called(REST_S)
    assert not trying.may_call(REST_S + 1)
    assert not trying.failed(REST_S + 1).may_call(2 * REST_S)
    assert trying.failed(REST_S + 1).may_call(2 * REST_S + 1)
    assert trying.answered().may_call(REST_S + 1)
