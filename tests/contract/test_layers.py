"""Imports point down, files and functions stay small, and some calls appear nowhere."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    layer = name_of(path).partition("/")[0]
    found = {name.partition(".")[0] for name in imported(parsed(path))}
    found -= {module for file, module in ALLOWED if file == name_of(path)}
    assert not found & FORBIDDEN.get(layer, set())


@pytest.mark.parametrize("path", [*FILES, *OTHERS], ids=name_of)
def test_no_relative_imports(path: Path) -> None:
    assert not [n for n in ast.walk(parsed(path)) if isinstance(n, ast.ImportFrom) and n.level]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1 - docstring_lines(node)
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_caught_wholesale(path: Path) -> None:
    if name_of(path) in BROAD_EXCEPT:
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            kinds = {ast.unparse(n) for n in ast.walk(node.type)} if node.type else {"Exception"}
            assert not kinds & {"Exception", "BaseException"}, f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_unpickled_evaluated_or_printed(path: Path) -> None:
    tree = parsed(path)
    assert not {name.partition(".")[0] for name in imported(tree)} & UNSAFE_MODULES
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        where = f"{name} in line {node.lineno}"
        assert name not in UNSAFE_CALLS, where
        assert name != "print", where
        is_weights_only = any(ast.unparse(k) == "weights_only=True" for k in node.keywords)
        may_convert = name_of(path).startswith("models/convert_") and is_weights_only
        assert name != "torch.load" or may_convert, f"{where}: weights are safetensors only"
        if name.rpartition(".")[2] in ("load", "save", "savez") and name.startswith("np."):
            pickles = [k.value for k in node.keywords if k.arg == "allow_pickle"]
            assert [ast.unparse(value) for value in pickles] == ["False"], where
        shell = [k for k in node.keywords if k.arg == "shell"]
        assert not (name.startswith(("subprocess.", "os.system")) and shell), where
        raw = [k for k in node.keywords if k.arg in ("dangerously_allow_html", "trust_remote_code")]
        assert not raw, where


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
