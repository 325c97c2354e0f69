"""A person's own act: what shows it is judged after the key, counts once, and is never said for him by a channel."""

import pytest
import pytest_asyncio

from tests.web.api import Api, a_key
from tests.web.register import Carried, give_password, issue, issued, open_register, sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


async def with_password(api: Api, n: int) -> tuple[Carried, str]:
    """A person with a password, and the path that unlinks the channel."""
    who = await issued(api, n)
    await give_password(api, who)
    sign_no = str((await issue(api, who))["sign_no"])
    return who, sign_no


async def tries(api: Api, who: Carried) -> object:
    """How many wrong passwords are counted."""
    return await api.sql.fetchval("SELECT password_tries FROM payer WHERE id = $1", who.card)


async def test_block_is_judged_after_the_key(desk: Api) -> None:
    who, sign_no = await with_password(desk, 1)
    path, key = f"{who.path}/signs/{sign_no}/unlink", a_key()
    right = {"password_block": await sealed(desk, f"{sign_no}/unlink")}
    done = await desk.post(path, right, caller="channel", key=key)
    assert (done.status, done["unlinked_at"] is not None) == (200, True)
    # What a repeat brings along is not looked at: it may be too old to be opened by then.
    again = await desk.post(path, {"password_block": "a.b.c.d.e"}, caller="channel", key=key)
    assert (again.status, again.body) == (200, done.body)


@pytest.mark.parametrize(
    ("n", "age_s", "refused"),
    [(2, 0, (422, "password-block-invalid")), (3, 301, (410, "password-block-expired"))],
)
async def test_block_that_cannot_be_opened_is_refused_and_costs_no_try(
    desk: Api, n: int, age_s: int, refused: tuple[int, str]
) -> None:
    who, sign_no = await with_password(desk, n)
    body = {"password_block": await sealed(desk, f"{sign_no}/unlink") if age_s else "a.b.c.d.e"}
    path, key = f"{who.path}/signs/{sign_no}/unlink", a_key()
    with desk.clock.held(desk.clock.wall_s() + age_s):
        for _ in range(2):
            no = await desk.post(path, body, caller="channel", key=key)
            assert (no.refused, no.pointers) == (refused, ["/password_block"])
        missing = await desk.post(path, body, caller="channel", key="")
        assert missing.status == 400
    assert await tries(desk, who) == 0
    assert (await desk.get(who.path, caller="channel")).status == 200


async def test_password_for_one_thing_agrees_to_no_other(desk: Api) -> None:
    who, sign_no = await with_password(desk, 4)
    for_the_card = {"password_block": await sealed(desk, f"{who.id}/cancel")}
    no = await desk.post(f"{who.path}/signs/{sign_no}/unlink", for_the_card, caller="channel")
    assert no.refused == (422, "password-block-invalid")
    # Nor to another act about the same thing.
    for about in (f"{who.id}/certify", who.id):
        other = await desk.post(f"{who.path}/cancel", {"password_block": await sealed(desk, about)}, caller="channel")
        assert other.refused == (422, "password-block-invalid"), about
    assert await tries(desk, who) == 0


async def test_answer_of_a_wrong_password_is_kept_and_counted_once(desk: Api) -> None:
    who, sign_no = await with_password(desk, 5)
    wrong = {"password_block": await sealed(desk, f"{sign_no}/unlink", "123450")}
    path, key = f"{who.path}/signs/{sign_no}/unlink", a_key()
    first, again = [await desk.post(path, wrong, caller="channel", key=key) for _ in range(2)]
    assert (first.refused, again.refused, again.is_replay) == (
        (403, "password-incorrect"),
        (403, "password-incorrect"),
        True,
    )
    assert await tries(desk, who) == 1
