"""Holds the import rule of docs/architecture.md: data flows one way, and the imports with it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"profiler", "collector", "server", "tests"}
MAY_IMPORT = {
    "profiler": {"profiler"},
    "collector": {"profiler", "collector"},
    "server": {"profiler", "server"},
    "alembic": {"profiler", "server"},
}
GENERATED = ROOT / "profiler" / "v1"


def modules(package: str) -> Iterator[Path]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if GENERATED not in path.parents and "node_modules" not in path.parts:
            yield path


def imported_packages(source: str) -> set[str]:
    """The top-level packages that `source` imports, wherever in it the import stands."""
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            packages.add(node.module.partition(".")[0])
    return packages


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): strangers
        for path in modules(package)
        if (strangers := (imported_packages(path.read_text()) & OURS) - MAY_IMPORT[package])
    }
    assert not wrong


def test_the_rule_sees_imports_inside_functions() -> None:
    source = "def f():\n    from server.store import schema\n    import collector.agent\n"
    assert imported_packages(source) == {"server", "collector"}


def test_the_migrations_do_not_shadow_alembic() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()
