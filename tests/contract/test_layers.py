"""Imports point down, files and functions stay small, and some calls appear nowhere."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.settings import PROJECT

FORBIDDEN = {  # layer -> packages it must not import
    "models": {"dash", "plotly", "flask", "backend", "components", "pages"},
    "backend": {"dash", "plotly", "flask", "components", "pages"},
    "components": {"torch", "models", "pages"},
    "pages": {"torch", "models", "pages"},
}
ALLOWED = {  # (file, module): what a layer may take although its package is forbidden
    ("backend/small_cache.py", "flask_caching"),
}
MAX_LINES = 400
MAX_FUNCTION_LINES = 40
BROAD_EXCEPT = {"components/notices.py"}  # the one handler for what nobody thought of
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NAMESPACES = ("//www.w3.org/", "//purl.org/dc/")  # names in SVG and XML, never fetched
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}

FILES = [path for layer in FORBIDDEN for path in sorted((PROJECT / layer).rglob("*.py"))]
FILES.append(PROJECT / "app.py")
OTHERS = [
    path for name in ("tests", "benchmarks") for path in sorted((PROJECT / name).rglob("*.py"))
]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def imported(tree: ast.AST) -> set[str]:
    """Full names of the modules imported anywhere in a file, functions included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Explaining at length is no sin, so docstrings do not count."""
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# Rules: each yields a sentence for whatever breaks it.


def imports_point_down(path: Path, tree: ast.Module) -> Iterator[str]:
    layer = name_of(path).partition("/")[0]
    found = {name.partition(".")[0] for name in imported(tree)}
    found -= {module for file, module in ALLOWED if file == name_of(path)}
    yield from (f"imports {name}" for name in found & FORBIDDEN.get(layer, set()))


def no_relative_imports(_path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"a relative import in line {node.lineno}"


def files_and_functions_stay_small(path: Path, tree: ast.Module) -> Iterator[str]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > MAX_LINES:
        yield f"has {lines} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1 - docstring_lines(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{node.name} has {length} lines"


def nothing_is_caught_wholesale(path: Path, tree: ast.Module) -> Iterator[str]:
    if name_of(path) in BROAD_EXCEPT:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = {ast.unparse(n) for n in ast.walk(node.type)} if node.type else {"Exception"}
            if kinds & {"Exception", "BaseException"}:
                yield f"catches everything in line {node.lineno}"


def nothing_is_unpickled_evaluated_or_printed(path: Path, tree: ast.Module) -> Iterator[str]:
    unsafe = {name.partition(".")[0] for name in imported(tree)} & UNSAFE_MODULES
    yield from (f"imports {name}" for name in unsafe)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_unsafe(path, node):
            yield f"{called(node)} in line {node.lineno}"


def is_unsafe(path: Path, node: ast.Call) -> bool:
    name = called(node)
    if name in UNSAFE_CALLS or name == "print":
        return True
    if name == "torch.load":  # weights are safetensors only, but for what converts them
        is_weights_only = any(ast.unparse(k) == "weights_only=True" for k in node.keywords)
        return not (name_of(path).startswith("models/convert_") and is_weights_only)
    given = {k.arg for k in node.keywords}
    if name.rpartition(".")[2] in ("load", "save", "savez") and name.startswith("np."):
        pickles = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        return [ast.unparse(value) for value in pickles] != ["False"]
    if name.startswith(("subprocess.", "os.system")) and "shell" in given:
        return True
    return bool(given & {"dangerously_allow_html", "trust_remote_code"})


RULES: tuple[Callable[[Path, ast.Module], Iterator[str]], ...] = (
    imports_point_down,
    no_relative_imports,
    files_and_functions_stay_small,
    nothing_is_caught_wholesale,
    nothing_is_unpickled_evaluated_or_printed,
)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_keeps_every_rule(path: Path) -> None:
    tree = parsed(path)
    assert [(rule.__name__, told) for rule in RULES for told in rule(path, tree)] == []


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_no_relative_imports(path: Path) -> None:
    assert list(no_relative_imports(path, parsed(path))) == []


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("import dash", imports_point_down),
        ("from . import x", no_relative_imports),
        ("def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES, files_and_functions_stay_small),
        ("try:\n    x\nexcept (OSError, Exception):\n    y", nothing_is_caught_wholesale),
        ("try:\n    x\nexcept:\n    y", nothing_is_caught_wholesale),
        ("import pickle", nothing_is_unpickled_evaluated_or_printed),
        ("print(1)", nothing_is_unpickled_evaluated_or_printed),
        ("eval('1')", nothing_is_unpickled_evaluated_or_printed),
        ("torch.load(x, weights_only=True)", nothing_is_unpickled_evaluated_or_printed),
        ("np.load(x)", nothing_is_unpickled_evaluated_or_printed),
        ("np.savez(x, allow_pickle=True)", nothing_is_unpickled_evaluated_or_printed),
        ("subprocess.run('ls', shell=True)", nothing_is_unpickled_evaluated_or_printed),
        ("f(dangerously_allow_html=True)", nothing_is_unpickled_evaluated_or_printed),
    ],
)
def test_a_broken_rule_is_found(line: str, rule: Callable[..., Iterator[str]]) -> None:
    assert list(rule(PROJECT / "backend" / "work.py", ast.parse(line)))


def assets(suffix: str) -> list[Path]:
    folder = PROJECT / "assets"
    return [path for path in sorted(folder.rglob(f"*{suffix}")) if "vendor" not in path.parts]


@pytest.mark.parametrize("path", [*assets(".js"), *assets(".css")], ids=name_of)
def test_assets_are_local_and_evaluate_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("//")[0] if "://" not in line else line
        is_namespace = any(name in line for name in NAMESPACES)
        is_comment = line.lstrip().startswith(("*", "/*", "//"))
        if not is_namespace and not is_comment:
            assert "http://" not in code, number
            assert "https://" not in code, number
        for call in ("eval(", "new Function(", "document.write("):
            assert call not in code, f"{call} in line {number}"
    assert len(text.splitlines()) <= MAX_LINES


def test_every_layer_is_there() -> None:
    assert {name_of(path).partition("/")[0] for path in FILES} >= {
        "models",
        "backend",
        "components",
    }
