"""What code says, as a digest: of modules and of those that they import, comments and docstrings apart."""

import ast
import hashlib
import io
import tokenize
from collections.abc import Collection, Iterable, Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_digest(modules: Iterable[str], *, within: Collection[str]) -> str:
    """Digest the code of `modules` and of every module that they import, transitively, from the packages `within`.

    SHA-256, 64 hex digits, equal for equal code on every machine and version of Python. A module without a file of
    source, such as a notebook's, counts by its name alone.
    """
    waiting, code = list(modules), dict[str, str]()
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if name in code or path is None:
            code.setdefault(name, "")
            continue
        text = path.read_text("utf-8")
        code[name] = bare(text)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [other for other in _imported(text, package) if _inside(other, within) and _file(other)]
    sha = hashlib.sha256()
    for name in sorted(code):
        sha.update(f"{name}\n{code[name]}\n\0".encode())
    return sha.hexdigest()


def bare(text: str) -> str:
    """A module's text without comments, docstrings, blank lines and spaces at the ends of lines."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            said = node.body[0]
            assert said.end_lineno is not None
            lines[said.lineno - 1] = lines[said.lineno - 1][: said.col_offset]
            for row in range(said.lineno, said.end_lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _imported(text: str, package: str) -> Iterator[str]:
    """Names that the module's imports, wherever they stand, may give to modules."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _inside(name: str, packages: Collection[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _file(name: str) -> Path | None:
    """Where a module's source lies; None for a name that is no module, or one without source."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # a name within a module, or a module that was never imported from a file
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
