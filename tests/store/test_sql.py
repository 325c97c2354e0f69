"""The SQL files: each block stands on the migrated schema, says what it takes, and is used; no other is asked for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import engine
from engine.store.sql import QUERIES, Sql, load_queries, with_integers

ENGINE = Path(engine.__file__).parent
MODULES = sorted(path.stem for path in QUERIES.glob("*.sql"))
SEVERAL_STATEMENTS = {("verify", "create_folds"), ("reconciliation", "create_staging")}
PARAMETER = re.compile(r"\$(\d+) [^,.$]*?(\w+(?:\[\])?)(?=[,.;]|$)")
OWN_WORDS = {
    "smallint": "int2",
    "integer": "int4",
    "bigint": "int8",
    "smallint[]": "int2[]",
    "integer[]": "int4[]",
    "bigint[]": "int8[]",
    "name": "text",
}


def declared(statement: str) -> dict[int, str]:
    """The types of parameters as a block's comments give them: ``$1 payment uuid, $2 count bigint``."""
    remarks = " ".join(line[2:].strip() for line in statement.splitlines() if line.startswith("--"))
    return {
        int(n): OWN_WORDS.get(word, word)
        for n, word in re.findall(r"\$(\d+) [^,.$]*?(\w+(?:\[\])?)(?=[,.;]|$)", remarks)
    }


def plain(statement: str) -> str:
    """The statement with a number for each of its own numbers."""
    return re.sub(r"(?<!:):([a-z_]+)\b", "0", statement)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """The modules of the engine."""
    for path in sorted(ENGINE.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def loaded(tree: ast.Module) -> set[str]:
    """Which SQL files a module loads."""
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "load_queries"
        and isinstance(call.args[0], ast.Constant)
    }


def subscripts(tree: ast.Module) -> set[str]:
    """The names by which a module takes a block out of what it loaded."""
    return {
        str(node.slice.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
        and re.search(r"queries|load_queries\(", ast.unparse(node.value))
    }


def texts(tree: ast.Module) -> Iterator[str]:
    """A pattern for every text of a module: anything may stand where a text is put together."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                re.escape(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else r"\w+"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.escape(node.value)


async def test_every_block_prepares_and_takes_what_it_declares(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute(plain(load_queries("verify")["create_folds"]))
    await sql.execute(load_queries("reconciliation")["create_staging"])
    wrong = []
    for module in MODULES:
        for name, statement in load_queries(module).items():
            if (module, name) in SEVERAL_STATEMENTS:
                with pytest.raises(asyncpg.PostgresSyntaxError, match="multiple commands"):
                    await sql.prepare(plain(statement))
                continue
            prepared = await sql.prepare(plain(statement))
            takes = {n: OWN_WORDS.get(kind.name, kind.name) for n, kind in enumerate(prepared.get_parameters(), 1)}
            if takes != declared(statement):
                wrong.append((module, name, takes))
    assert wrong == []


def test_every_block_is_used() -> None:
    said = {pattern for _, tree in sources() for pattern in texts(tree) if re.search("[a-z]{4}", pattern)}
    is_said = re.compile("|".join(said)).fullmatch
    assert {(module, name) for module in MODULES for name in load_queries(module) if not is_said(name)} == set()


def test_every_block_that_is_asked_for_exists() -> None:
    for path, tree in sources():
        if not loaded(tree):
            continue
        known = {name for module in loaded(tree) for name in load_queries(module)}
        assert subscripts(tree) - known == set(), path


def test_a_name_is_given_once() -> None:
    for module in MODULES:
        names = re.findall(r"^-- name: (\w+)$", (QUERIES / f"{module}.sql").read_text(), re.MULTILINE)
        assert len(names) == len(set(names)) == len(load_queries(module))


def test_module_that_does_not_exist_is_no_empty_one() -> None:
    with pytest.raises(FileNotFoundError):
        load_queries("nothing")


def test_only_whole_numbers_are_put_into_a_statement() -> None:
    assert with_integers(Sql("SELECT :a, :b"), a=1, b=-2) == "SELECT 1, -2"
    with pytest.raises(ValueError, match="invalid literal"):
        with_integers(Sql("SELECT :a"), a="1; DROP TABLE payer")  # type: ignore[arg-type]  # the point of the test
