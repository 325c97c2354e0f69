"""Applications over HTTP: through a channel to the office of a region or to a bank, and what each of them sees."""

import asyncio
import hashlib
import io
from datetime import timedelta

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from engine.codes.http_signature import content_digest
from engine.core.applications import ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, DRAFT_LASTS, ApplicationKind
from engine.core.channels import Product
from engine.core.ids import AgencyId, CallerId, IdKind, id_text
from engine.flows.applications.forms import MATERIALS, load_forms
from tests.agencies import an_agency
from tests.builders import an_id
from tests.channels import add_channel
from tests.web.api import Api, Json, Reply, a_key, bank_number, nobodys_id
from tests.web.inquiries import PURPOSE, consent, grant, revoke
from tests.web.operators import add_keys, approve
from tests.web.register import Carried, give_password, issue, issued, open_register, sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")

APPLICATIONS = "/v1/applications"
PROOF = b"%PDF-1.7 " + b"proof " * 40_000  # of several parts
PROOF_SHA256 = hashlib.sha256(PROOF).hexdigest()
FORMS: dict[str, Json] = {
    "unemployment_registration": {
        "unemployed_since": "2026-11-01",
        "reason": "dismissed",
        "seeks_work": True,
        "phone": "15400000001",
        "materials": {"proof_of_end": [PROOF_SHA256]},
    },
    "unemployment_benefit": {
        "unemployed_since": "2026-11-01",
        "paid_months": 87,
        "seeks_work": True,
        "phone": "15400000002",
        "materials": {"proof_of_end": [PROOF_SHA256]},
    },
    "wage_arrears": {
        "employer": "某建筑公司",
        "place": "工地",
        "amount": 1_200_000,
        "persons": 12,
        "account": "拖欠工资两个月。\n至今未付。",
        "phone": "15400000003",
        "materials": {"evidence": [PROOF_SHA256]},
    },
    "title_review": {
        "series": "工程",
        "level": "intermediate",
        "employer": "某研究所",
        "years": 6,
        "works": [{"title": "论文", "year": 2024}],
        "phone": "15400000004",
        "materials": {"degree": [PROOF_SHA256], "recommendation": [PROOF_SHA256]},
    },
    "labor_arbitration": {
        "respondent": "某公司",
        "respondent_address": "某路一号",
        "dispute": "wages",
        "claims": ["支付工资"],
        "account": "公司拒绝支付加班工资。",
        "arisen_on": "2026-10-01",
        "phone": "15400000005",
        "materials": {"petition": [PROOF_SHA256]},
    },
    "credit": {
        "amount": 5_000_000,
        "term_months": 12,
        "purpose": "education",
        "monthly_income": 900_000,
        "may_ask_credit_register": True,
        "phone": "15400000006",
        "materials": {"income": [PROOF_SHA256]},
    },
}
KINDS = {item: load_forms()[item].kind for item in FORMS}
PLAIN: Json = {"from_keeper": "甲", "to_keeper": "乙", "reason": "new_job", "phone": "15400000007"}
"""A form of `archive_transfer`, which needs no file."""


class Desk(msgspec.Struct, frozen=True):
    """A city in which every kind of application has an office."""

    api: Api
    agency: AgencyId

    async def opened(self, kind: str, office: bytes, *, region: str = "110100") -> Reply:
        """Two operators let an office in."""
        body = {"kind": kind, "region": region, "office_id": id_text(office), "reason": "agreed"}
        return await approve(self.api, await self.api.post(f"{APPLICATIONS}/offices", body, caller="alpha"))

    async def person(self, n: int) -> Carried:
        """The *n*-th person, with a card on the channel and a password."""
        who = await issued(self.api, n)
        await give_password(self.api, who)
        return who

    async def draft(
        self,
        who: Carried,
        item: str = "archive_transfer",
        form: Json | None = None,
        *,
        caller: str = "channel",
        key: str | None = None,
        **changes: object,
    ) -> Reply:
        """The channel drafts an application."""
        filled = form if form is not None else FORMS.get(item, PLAIN)
        bank = {"bank": bank_number(0)} if item == "credit" else {}
        body = {"card_id": who.id, "item": item, "form": filled, **bank, **changes}
        return await self.api.post(APPLICATIONS, body, caller=caller, key=key)

    async def drafted(self, who: Carried, item: str = "archive_transfer", **changes: object) -> str:
        """The path of a draft."""
        reply = await self.draft(who, item, **changes)  # type: ignore[arg-type]  # those of `draft`
        assert (reply.status, reply["status"]) == (201, "draft"), reply.body
        return f"{APPLICATIONS}/{reply['id']}"

    async def agreed(self, path: str) -> Json:
        """The person's own act about an application."""
        return {"password_block": await sealed(self.api, f"{path.rpartition('/')[2]}/submit")}

    async def submit(self, path: str) -> Reply:
        """Handed in, as the person wants it."""
        return await self.api.post(f"{path}/submit", await self.agreed(path), caller="channel")

    async def attach(self, path: str, content: bytes = PROOF, *, key: str | None = None) -> Reply:
        """The channel sends a file, as files are sent."""
        target = f"{path}/attachments"
        signed = self.api.signed("POST", target, caller="channel", body=content, key_header=f'"{key or a_key()}"')
        url = f"{str(self.api.base_url).rstrip('/')}{target}"
        async with self.api.session.post(url, data=io.BytesIO(content), headers=signed) as response:
            return Reply(response.status, response.headers, await response.read())

    async def move(self, path: str, move: str, note: str | None = None, *, caller: str = "office") -> Reply:
        """The office goes on with it."""
        return await self.api.post(f"{path}/{move}", {"note": note} if note is not None else {}, caller=caller)

    async def status(self, path: str) -> object:
        """Where it stands, as the channel sees it."""
        return (await self.api.get(path, caller="channel"))["status"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Desk:
    """The city with a register, an agency for all kinds of the family, and a bank for credits."""
    await open_register(city)
    agency = await an_agency(city.sql, city.world, region=110100)
    await add_keys(city, {"office": CallerId(agency), "other-office": CallerId(an_id(IdKind.AGENCY))})
    opened = Desk(city, agency)
    for kind in ApplicationKind:
        office = city.world.banks[0] if kind is ApplicationKind.FINANCE else agency
        assert (await opened.opened(kind.name.lower(), office))["outcome"] == "done"
    return opened


@pytest.mark.parametrize(("n", "item"), list(enumerate(FORMS, start=40)))
async def test_application_of_each_family_goes_through_all_its_states(desk: Desk, n: int, item: str) -> None:
    office = "bank-0" if item == "credit" else "office"
    who = await desk.person(n)
    path = await desk.drafted(who, item)
    assert (await desk.api.get(path, caller=office)).refused == (404, "not-found")  # a draft is nobody's business
    missing = await desk.submit(path)
    where = [f"/form/materials/{name}/0" for name in msgspec.convert(FORMS[item][MATERIALS], dict[str, list[str]])]
    assert (missing.refused, missing.pointers) == ((422, "form-invalid"), where)
    assert (await desk.attach(path))["sha256"] == PROOF_SHA256
    submitted = await desk.submit(path)
    assert (submitted["status"], submitted["kind"]) == ("submitted", KINDS[item].name.lower()), submitted.body
    waiting = await desk.api.get(f"{APPLICATIONS}?status=submitted&item={item}", caller=office)
    assert [one["id"] for one in waiting.items] == [submitted["id"]]
    assert [(await desk.move(path, move, caller=office))["status"] for move in ("accept", "review")] == [
        "accepted",
        "in_review",
    ]
    asked = await desk.move(path, "need-more-info", "请补充材料", caller=office)
    assert asked["status"] == "need_more_info"
    filled = await desk.api.post(f"{path}/form", {"form": FORMS[item] | {"phone": "15400000099"}}, caller="channel")
    assert filled["status"] == "need_more_info", filled.body
    assert (await desk.submit(path))["status"] == "submitted"
    end = "reject" if item == "wage_arrears" else "approve"
    for move in ("accept", "review", end, "archive"):
        assert (await desk.move(path, move, "已办理", caller=office)).status == 200
    seen = await desk.api.get(path, caller=office)
    steps = msgspec.convert(seen["steps"], list[Json])
    assert [step["move"] for step in steps] == [
        *("draft", "submit", "accept", "review", "need_more_info"),
        *("submit", "accept", "review", end, "archive"),
    ]
    assert [step["act_kind"] for step in steps if step["move"] == "submit"] == ["password"] * 2
    assert (steps[4]["note"], steps[4]["by"]) == ("请补充材料", seen["office_id"])
    assert (seen["status"], seen["form"]) == ("archived", FORMS[item] | {"phone": "15400000099"})
    assert await desk.drafted(who, item)  # the earlier one is over: a new one may be open


async def test_every_caller_sees_its_own_and_looks_are_written_down(desk: Desk) -> None:
    who = await desk.person(50)
    path = await desk.drafted(who, "unemployment_benefit")
    await desk.attach(path)
    file = f"{path}/attachments/{PROOF_SHA256}"
    for caller in ("office", "alpha"):
        assert path not in {
            f"{APPLICATIONS}/{one['id']}" for one in (await desk.api.get(APPLICATIONS, caller=caller)).items
        }
    assert (await desk.api.get(path, caller="alpha")).refused == (404, "not-found")
    await desk.submit(path)
    for caller in ("channel-2", "bank-0", "other-office", "merchant-0", "shanghai"):
        expected = (403, "region-not-permitted") if caller == "shanghai" else (404, "not-found")
        assert (await desk.api.get(path, caller=caller)).refused == expected, caller
        assert (await desk.api.get(file, caller=caller)).refused == expected, caller
    for caller in ("channel", "office"):
        seen, sent = await desk.api.get(path, caller=caller), await desk.api.get(file, caller=caller)
        assert (seen["form"], sent.body) == (FORMS["unemployment_benefit"], PROOF)
        assert (sent.headers["Content-Type"], sent.headers["X-Content-Type-Options"]) == ("application/pdf", "nosniff")
    await desk.move(path, "accept", "请来窗口")
    seen = await desk.api.get(path, caller="alpha")
    assert (seen["form"], seen["status"]) == (None, "accepted")
    assert {step["note"] for step in msgspec.convert(seen["steps"], list[Json])} == {None}
    assert not [secret for secret in who.person.secrets if secret.encode() in seen.body]
    assert (await desk.api.get(file, caller="alpha")).refused == (404, "not-found")
    looks = await desk.api.sql.fetch(
        "SELECT action, caller, result FROM audit_entry WHERE object = $1 ORDER BY at, n", path.rpartition("/")[2]
    )
    refused = [row for row in looks if row["result"] != "allowed"]
    assert [(row["action"], row["result"]) for row in refused] == [("applications.course", "region-not-permitted")] * 2
    actions = [row["action"] for row in looks if row["result"] == "allowed"]
    assert actions == ["applications.form", "applications.attachment"] * 2 + ["applications.course"]
    assert looks[4]["caller"] == desk.agency
    own = f"{APPLICATIONS}?item=unemployment_benefit&status=accepted"
    assert len((await desk.api.get(own, caller="channel")).items) == 1
    await desk.api.sql.execute("UPDATE card_sign SET unlinked_at = now() WHERE card = $1", who.card)
    assert (await desk.api.get(path, caller="channel")).refused == (404, "not-found")  # unlinked, it sees nothing more
    assert (await desk.api.get(own, caller="channel")).items == []


async def test_what_others_have_handed_in_is_seen_by_threefold_authorization_only(desk: Desk) -> None:
    api, who = desk.api, await desk.person(63)
    await issue(api, who, channel="channel-2")
    path = await desk.drafted(who, caller="channel-2")
    channel = await api.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'")
    look = f"{APPLICATIONS}?card_id={who.id}&purpose={PURPOSE}"
    assert (await api.get(f"{APPLICATIONS}?card_id={who.id}", caller="channel")).refused == (403, "purpose-required")
    assert (await api.get(f"{APPLICATIONS}?purpose={PURPOSE}", caller="channel")).refused == (400, "field-invalid")
    assert (await api.get(look, caller="office")).refused == (404, "not-found")
    assert (await api.get(look, caller="channel")).refused == (403, "consent-required")
    given = await consent(api, who, ["applications"], channel=channel)
    assert (await api.get(look, caller="channel")).refused == (403, "department-not-authorized")
    await grant(api, desk.agency, ["applications"], region="110100")
    assert (await api.get(look, caller="channel")).refused == (403, "channel-not-authorized")
    (granted,) = await grant(api, channel, ["applications"], region="110100")
    assert (await api.get(look, caller="channel")).items == []  # a draft is its channel's alone
    assert (await api.post(f"{path}/submit", await desk.agreed(path), caller="channel-2")).status == 200
    assert [one["status"] for one in (await api.get(look, caller="channel")).items] == ["submitted"]
    assert (await api.get(path, caller="channel")).refused == (404, "not-found")  # no more than that it is there
    await revoke(api, granted)
    assert (await api.get(look, caller="channel")).refused == (403, "channel-not-authorized")
    looks = await api.sql.fetch(
        "SELECT result FROM audit_entry WHERE subject = $1 AND action = 'applications.list' ORDER BY at, n", who.card
    )
    assert [row["result"] for row in looks] == [
        *("purpose-required", "consent-required", "department-not-authorized", "channel-not-authorized"),
        *("allowed", "allowed", "channel-not-authorized"),
    ]
    assert given.status == 201


async def test_what_is_sealed_is_not_in_the_database_as_it_was_written(desk: Desk) -> None:
    path = await desk.drafted(await desk.person(51), "labor_arbitration")
    await desk.attach(path)
    await desk.submit(path)
    await desk.move(path, "accept", "欧阳测先生已来访")
    for table in ("application", "application_step", "application_attachment_part", "request_answer", "event"):
        rows = await desk.api.sql.fetch(f"SELECT t::text AS line FROM {table} t")  # noqa: S608  # names from above
        text = "\n".join(str(row["line"]) for row in rows)
        for said in ("某公司", "15400000005", "欧阳测先生", PROOF[:40].decode()):
            assert said not in text
            assert said.encode().hex() not in text


async def test_form_is_refused_with_pointers_and_without_what_was_written(desk: Desk) -> None:
    who = await desk.person(52)
    wrong = FORMS["unemployment_benefit"] | {
        "unemployed_since": "2026-02-30",
        "paid_months": 0,
        "phone": "１３８00000000",
        "materials": {},
        "秘密": "x",
    }
    reply = await desk.draft(who, "unemployment_benefit", wrong)
    assert reply.refused == (422, "form-invalid")
    assert set(reply.pointers) == {
        "/form/unemployed_since",
        "/form/paid_months",
        "/form/phone",
        "/form/materials/proof_of_end",
        "/form/秘密",
    }
    assert "１３８".encode() not in reply.body
    for body, refused in (
        ({"form": {"amount": 1.5}}, (400, "field-invalid")),
        ({"form": {"amount": [[1]]}}, (400, "field-invalid")),
        ({"item": "nothing"}, (400, "field-invalid")),
        ({"region": "000100"}, (422, "region-unknown")),
        ({"bank": bank_number(0)}, (400, "field-invalid")),
        ({"card_id": nobodys_id(IdKind.CARD)}, (404, "not-found")),
        ({"region": "310101"}, (403, "region-not-served")),
        ({"item": "credit", "bank": bank_number(1)}, (403, "region-not-served")),  # a bank that takes none
        ({"item": "credit", "bank": "999999999999"}, (400, "field-invalid")),
        ({"item": "credit", "bank": None}, (400, "field-invalid")),
    ):
        assert (await desk.draft(who, **body)).refused == refused, body


async def test_one_is_open_at_a_time_whoever_asks_and_however_often(desk: Desk) -> None:
    who = await desk.person(53)
    await issue(desk.api, who, channel="channel-2")
    key = a_key()
    replies = await asyncio.gather(
        *(desk.draft(who, caller=caller) for caller in ("channel", "channel-2") for _ in range(4)),
        *(desk.draft(who, key=key) for _ in range(4)),
    )
    made = {str(reply["id"]) for reply in replies if reply.status == 201}
    assert len(made) == 1
    refused = {reply.refused for reply in replies if reply.status != 201}
    assert refused == {(409, "application-duplicate")}
    await desk.api.sql.execute(
        "UPDATE application SET changed_at = changed_at - $2::interval WHERE id = (SELECT id FROM application "
        "WHERE card = $1)",
        who.card,
        DRAFT_LASTS + timedelta(days=1),
    )
    key = a_key()
    new, again = [await desk.draft(who, key=key) for _ in range(2)]  # what was forgotten makes room
    assert (new.status, again.body, again.is_replay) == (201, new.body, True)
    other = await desk.draft(who, form=PLAIN | {"phone": "15400000008"}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/form"])
    states = await desk.api.sql.fetch("SELECT state FROM application WHERE card = $1 ORDER BY id", who.card)
    assert [row["state"] for row in states] == [9, 1]


async def test_moves_that_are_not_in_the_table_name_the_state(desk: Desk) -> None:
    path = await desk.drafted(await desk.person(54))
    assert (await desk.move(path, "accept")).refused == (404, "not-found")
    await desk.submit(path)
    for move in ("review", "approve", "archive"):
        reply = await desk.move(path, move)
        assert (reply.refused, reply.pointers) == ((409, "application-state-conflict"), ["/status"])
        assert b"it is submitted" in reply.body
    assert (await desk.attach(path)).refused == (409, "application-state-conflict")
    assert (await desk.api.post(f"{path}/form", {"form": PLAIN}, caller="channel")).status == 409
    assert (await desk.move(path, "reject")).refused == (400, "field-invalid")  # the person has to be told why
    assert (await desk.move(path, "lose")).status == 404
    races = await asyncio.gather(*(desk.move(path, "accept") for _ in range(6)))
    assert sorted(reply.status for reply in races) == [200] + [409] * 5


async def test_person_hands_in_and_takes_back_a_channel_alone_cannot(desk: Desk) -> None:
    who = await desk.person(55)
    path = await desk.drafted(who)
    assert (await desk.api.post(f"{path}/submit", {}, caller="channel")).refused == (403, "reauthentication-required")
    other = {"password_block": await sealed(desk.api, f"{nobodys_id(IdKind.APPLICATION)}/submit")}
    assert (await desk.api.post(f"{path}/submit", other, caller="channel")).status == 422
    wrong = {"password_block": await sealed(desk.api, f"{path.rpartition('/')[2]}/submit", "123450")}
    assert (await desk.api.post(f"{path}/submit", wrong, caller="channel")).refused == (403, "password-incorrect")
    assert await desk.status(path) == "draft"
    key, right = a_key(), await desk.agreed(path)
    done = [await desk.api.post(f"{path}/submit", right, caller="channel", key=key) for _ in range(2)]
    assert [(reply.status, reply.is_replay) for reply in done] == [(200, False), (200, True)]
    assert done[0].body == done[1].body
    assert (await desk.api.post(f"{path}/withdraw", {}, caller="channel")).refused == (403, "reauthentication-required")
    again = await desk.api.post(f"{path}/withdraw", right, caller="channel")  # it was for something else
    assert again.refused == (422, "password-block-invalid")
    body = {"note": "不办了", "password_block": await sealed(desk.api, f"{path.rpartition('/')[2]}/withdraw")}
    assert (await desk.api.post(f"{path}/withdraw", body, caller="channel"))["status"] == "withdrawn"
    assert (await desk.move(path, "accept")).refused == (409, "application-state-conflict")
    draft = await desk.drafted(who)
    assert (await desk.api.post(f"{draft}/withdraw", {}, caller="channel"))["status"] == "withdrawn"


async def test_lost_card_hands_in_nothing(desk: Desk) -> None:
    who = await desk.person(56)
    path = await desk.drafted(who)
    await desk.api.post(f"{who.path}/loss-report", {}, caller="alpha")
    assert (await desk.submit(path)).refused == (403, "card-reported-lost")
    assert (await desk.draft(who, "pension_transfer", {})).refused == (403, "card-reported-lost")
    assert await desk.status(path) == "draft"


async def test_files_are_judged_by_what_they_are(desk: Desk) -> None:
    path = await desk.drafted(await desk.person(57))
    for content, refused in (
        (b"MZ\x90\x00 a program", (422, "file-malformed")),
        (b"%PDF", (422, "file-malformed")),
        (b"\xff\xd8\xff" + bytes(ATTACHMENT_BYTES_MAX), (413, "body-too-large")),
    ):
        assert (await desk.attach(path, content)).refused == refused
    other = {"caller": "channel", "key_header": f'"{a_key()}"', "digest": content_digest(b"%PDF-1.7 another")}
    signed = desk.api.signed("POST", f"{path}/attachments", body=PROOF, **other)  # type: ignore[arg-type]  # texts all
    cut = await desk.api.send("POST", f"{path}/attachments", headers=signed, body=PROOF)
    assert cut.refused == (401, "content-digest-mismatch")
    assert await parts_left(desk.api.sql) == 0
    key = a_key()
    sent = [await desk.attach(path, key=key) for _ in range(2)] + [await desk.attach(path)]
    assert [(reply.status, reply.is_replay) for reply in sent] == [(201, False), (201, True), (201, False)]
    assert len({reply.body for reply in sent}) == 1
    assert (await desk.attach(path, PROOF + b"!", key=key)).refused == (422, "idempotency-key-reused")
    many = await asyncio.gather(*(desk.attach(path, b"%PDF-" + bytes([n])) for n in range(ATTACHMENTS_MAX)))
    assert sorted(reply.status for reply in many) == [201] * (ATTACHMENTS_MAX - 1) + [422]
    assert await parts_left(desk.api.sql) == 0
    seen = await desk.api.get(path, caller="channel")
    assert len(msgspec.convert(seen["attachments"], list[Json])) == ATTACHMENTS_MAX
    assert (await desk.api.get(f"{path}/attachments/{'0' * 64}", caller="channel")).refused == (404, "not-found")


async def test_erased_person_has_written_nothing_that_can_be_read(desk: Desk) -> None:
    who = await desk.person(62)
    path = await desk.drafted(who, "unemployment_benefit")
    await desk.attach(path)
    await desk.submit(path)
    await desk.move(path, "accept", "已受理")
    await desk.api.sql.execute(
        "UPDATE person_key SET secret = NULL, destroyed_at = now() "
        "WHERE person = (SELECT person FROM card WHERE id = $1)",
        who.card,
    )
    seen = await desk.api.get(path, caller="office")
    steps = msgspec.convert(seen["steps"], list[Json])
    assert (seen.status, seen["form"], [step["note"] for step in steps]) == (200, None, [None] * 3)
    assert (await desk.api.get(f"{path}/attachments/{PROOF_SHA256}", caller="office")).refused == (404, "not-found")


async def parts_left(sql: asyncpg.Connection) -> int:
    """Parts of files that nobody has kept."""
    found: int = await sql.fetchval(
        "SELECT count(*) FROM application_attachment_part p LEFT JOIN application_attachment t "
        "ON t.id = p.attachment AND t.kept_at IS NOT NULL WHERE t.id IS NULL"
    )
    return found


async def test_channel_applies_only_where_it_may(desk: Desk) -> None:
    api, who = desk.api, await desk.person(58)
    for name, products, regions, refused in (
        ("elsewhere", tuple(Product), (310000,), (403, "channel-not-authorized")),
        ("inquiries", (Product.INQUIRY, Product.CARDS), (0,), (403, "channel-not-authorized")),
    ):
        channel = CallerId(an_id(IdKind.CHANNEL))
        await add_keys(api, {name: channel})
        await issue(api, who, channel=name)
        await api.sql.execute("DELETE FROM channel WHERE id = $1", channel)
        await add_channel(api.sql, channel, products=products, regions=regions)
        assert (await desk.draft(who, caller=name)).refused == refused
    assert (await desk.draft(who, caller="office")).refused == (404, "not-found")


async def test_nearest_office_is_handed_it_until_one_operator_closes_it(desk: Desk) -> None:
    api = desk.api
    near = await an_agency(api.sql, api.world, region=110101)
    await add_keys(api, {"near": CallerId(near)})
    body = {"kind": "talent", "region": "110101", "office_id": id_text(near), "reason": "agreed"}
    assert (await api.post(f"{APPLICATIONS}/offices", body, caller="shanghai")).refused == (
        403,
        "region-not-permitted",
    )
    for changes, status in (
        ({"office_id": id_text(api.world.banks[0])}, 400),  # a bank, and no credit
        ({"region": "310101"}, 400),  # not the agency's
        ({"office_id": nobodys_id(IdKind.AGENCY)}, 400),
    ):
        assert (await api.post(f"{APPLICATIONS}/offices", body | changes, caller="alpha")).status == status
    assert (await desk.opened("talent", near, region="110101"))["outcome"] == "done"
    again = await api.post(f"{APPLICATIONS}/offices", body, caller="alpha")
    assert (await api.post(f"/v1/approvals/{again['id']}/approve", caller="beta")).status == 409
    offices = (await api.get(f"{APPLICATIONS}/offices?kind=talent", caller="channel")).items
    assert {(one["region"], one["office_id"]) for one in offices} == {
        ("110100", id_text(desk.agency)),
        ("110101", id_text(near)),
    }
    path = await desk.drafted(await desk.person(59))
    assert (await desk.submit(path))["office_id"] == id_text(near)
    late = await desk.drafted(await desk.person(60))
    closed = await api.post(f"{APPLICATIONS}/offices/close", body, caller="alpha")
    assert [one["region"] for one in closed.items] == ["110100"]
    assert (await desk.move(path, "accept", caller="near"))["status"] == "accepted"  # it goes on with what it has
    assert (await desk.submit(late))["office_id"] == id_text(desk.agency)
    assert (await api.post(f"{APPLICATIONS}/offices/close", body, caller="alpha")).refused == (404, "not-found")


async def test_lists_have_pages_and_forms_can_be_fetched(desk: Desk) -> None:
    who = await desk.person(61)
    for item, form in (("archive_transfer", PLAIN), ("wage_arrears", FORMS["wage_arrears"])):
        await desk.drafted(who, item, form=form)
    first = await desk.api.get(f"{APPLICATIONS}?limit=1", caller="channel")
    second = await desk.api.get(f"{APPLICATIONS}?limit=1&cursor={first['next_cursor']}", caller="channel")
    assert [page.items[0]["item"] for page in (first, second)] == ["wage_arrears", "archive_transfer"]
    assert (await desk.api.get(f"{APPLICATIONS}?status=lost", caller="channel")).status == 400
    items = (await desk.api.get(f"{APPLICATIONS}/items", caller="channel")).items
    assert {one["kind"] for one in items} == {kind.name.lower() for kind in ApplicationKind}
    for one in items:
        fetched = await desk.api.get(str(one["form_url"]), caller="channel")
        assert (fetched.status, fetched.headers["Content-Type"]) == (200, "application/schema+json")
        assert fetched["title"] == one["name_en"]
    assert (await desk.api.get(f"{APPLICATIONS}/items/nothing", caller="channel")).status == 404
