"""Many ids at once are written as each of them is alone."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core.id_texts import id_texts
from engine.core.ids import IdKind, id_text, with_kind_number


@given(ids=st.lists(st.binary(min_size=16, max_size=16), max_size=40), kind=st.sampled_from(IdKind))
def test_texts_are_those_of_each_id(ids: list[bytes], kind: IdKind) -> None:
    of_kind = [with_kind_number(identifier, kind) for identifier in ids]
    assert id_texts(of_kind, kind) == [id_text(identifier) for identifier in of_kind]


def test_a_whole_page_has_as_many_texts() -> None:
    ids = [with_kind_number(n.to_bytes(16), IdKind.PAYMENT) for n in range(5_000)]
    assert id_texts(ids, IdKind.PAYMENT) == [id_text(identifier) for identifier in ids]
