"""The imports among this project's modules, read from their source: TYPE_CHECKING and functions count."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]


def module_name(path: Path, root: Path) -> str:
    """The dotted name of the module at `path`, a package being named by its folder."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(root: Path, packages: tuple[str, ...]) -> dict[str, Path]:
    """Every module below the packages, by its dotted name."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            if "node_modules" not in path.parts:
                found[module_name(path, root)] = path
    return found


def imported(tree: ast.AST, name: str, *, is_package: bool) -> Iterator[str]:
    """All that a module imports, by absolute dotted names; `from a import b` gives `a.b`, whatever `b` is."""
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}"


def resolve(target: str, modules: Mapping[str, Path]) -> str | None:
    """The project's module that `target` names, or whose name it is in; None for others' modules."""
    while target and target not in modules:
        target = target.rpartition(".")[0]
    return target or None


def graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which of the modules imports which."""
    edges: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for target in imported(tree, name, is_package=path.name == "__init__.py"):
            found = resolve(target, modules)
            if found is not None and found != name:
                edges[name].add(found)
    return edges


def external(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which module imports which names from outside `modules`."""
    edges: dict[str, set[str]] = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        targets = imported(tree, name, is_package=path.name == "__init__.py")
        edges[name] = {target for target in targets if resolve(target, modules) is None}
    return edges


def cycles(edges: Graph) -> list[list[str]]:
    """The groups of modules that import each other, each sorted; none when the graph has no cycle.

    They are the strongly connected components of more than one node (Tarjan, 1972).
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def rooms(edges: Graph) -> dict[str, dict[str, set[str]]]:
    """The imports among the rooms of each folder: folder -> room -> the rooms that it imports.

    A room is a module, or a folder with all that is in it. An import of a folder's own `__init__` is none of these.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for source, targets in edges.items():
        for target in targets:
            here, there = source.split("."), target.split(".")
            shared = next(
                (place for place, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]),
                None,
            )
            if not shared:
                continue
            folder = found.setdefault(".".join(here[:shared]), {})
            folder.setdefault(here[shared], set()).add(there[shared])
            folder.setdefault(there[shared], set())
    return found


def statements(path: Path) -> list[str]:
    """The kinds of statements in a file besides its docstring, imports, `__all__`, and re-exports that are made late.

    Those are imports for types alone, and the function with which a module imports them when they are asked for:
    https://peps.python.org/pep-0562/
    """
    kinds = []
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = [getattr(target, "id", "") for target in node.targets] if isinstance(node, ast.Assign) else []
        is_late = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            is_late = all(isinstance(each, ast.ImportFrom) for each in node.body)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        if not (is_import or is_late or is_docstring or names == ["__all__"]):
            kinds.append(type(node).__name__)
    return kinds
