"""House rules that no tool knows: each is checked on every file, so none rots."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "engine"
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 420
# Each of these is let in at one place, so that everything else can be given time and chance as arguments.
HOMES = {
    "time.time": {"flows/clock.py", "client/signed_connection.py"},
    "time.time_ns": {"flows/clock.py"},
    "datetime.now": set(),
    "datetime.utcnow": set(),
    "uuid.uuid4": set(),
    "random.random": set(),
    "os.urandom": {"flows/clock.py"},
}
SQL = re.compile(r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b", re.DOTALL)
BANNED_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?)(_|$)")
ENTRY_POINTS = {"__main__", "web.openapi", "embedded.child"}


def _modules(folder: Path = ENGINE) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def _name(path: Path) -> str:
    return path.relative_to(ENGINE).as_posix()


def test_every_function_fits_on_a_screen() -> None:
    too_long = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_every_module_is_one_thing() -> None:
    too_long = [
        f"{_name(path)}: {lines} lines"
        for path, _ in _modules()
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    ]
    assert too_long == []


def test_every_module_says_what_it_is() -> None:
    silent = [_name(path) for path, tree in _modules() if path.read_text().strip() and not ast.get_docstring(tree)]
    assert silent == []


def test_every_public_definition_has_a_docstring() -> None:
    silent = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path, tree in _modules()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_time_and_chance_come_from_one_place() -> None:
    strays = []
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                called = f"{owner.id}.{node.func.attr}" if isinstance(owner, ast.Name) else ""
                if called in HOMES and _name(path) not in HOMES[called]:
                    strays.append(f"{_name(path)}:{node.lineno} {called}")
    assert strays == []


def test_the_core_waits_for_nothing() -> None:
    waiting = [
        f"{_name(path)}:{node.lineno}"
        for folder in ("core", "codes", "formats")
        for path, tree in _modules(ENGINE / folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert waiting == []


def test_sql_lives_in_sql_files() -> None:
    strays = [
        f"{_name(path)}:{node.lineno}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and not _is_docstring(tree, node)
        and SQL.search(node.value)
    ]
    assert strays == []


def test_names_say_what_things_are() -> None:
    vague = [_name(path) for path, _ in _modules() if BANNED_NAMES.search(path.stem)]
    vague += [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?|Impl)$", node.name)
    ]
    assert vague == []


def test_no_module_is_dead() -> None:
    imported: set[str] = set()
    for _, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
                imported.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
    dead = [
        dotted
        for path, _ in _modules()
        if path.name != "__init__.py"
        and f"engine.{(dotted := _name(path).removesuffix('.py').replace('/', '.'))}" not in imported
        and dotted not in ENTRY_POINTS
        and not dotted.startswith("formats.")  # found by walking the package
    ]
    assert dead == []


def test_every_ignore_has_its_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("engine", "tests", "loadtests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"#\s*(type: ignore|noqa)", line)
        and not re.search(r"(ignore\[[\w, -]+\]|noqa: [\w, ]+?)\s+(#\s*)?\S+ \S+", line)
        and path.name != "test_tidy.py"
    ]
    assert bare == []


def test_nothing_is_left_to_do_without_a_reason() -> None:
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ENGINE.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(r"\b(TODO|FIXME|XXX)\b", line)
    ]
    assert left == []


def test_locks_name_no_registry() -> None:
    named = [
        f"{path.name}:{number}"
        for pattern in ("*.lock", "*.toml", "*.txt")
        for path in sorted(ROOT.glob(pattern))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if "https://" in line or "http://" in line or "--index" in line
    ]
    assert named == []


def _is_docstring(tree: ast.Module, constant: ast.Constant) -> bool:
    return any(isinstance(node, ast.Expr) and node.value is constant for node in ast.walk(tree))
