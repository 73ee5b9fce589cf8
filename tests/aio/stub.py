"""The types of `asm_core.aio.ports`: written from the source of the ports, or compared with it.

``python tests/aio/stub.py`` writes the file.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Final

STUB: Final = Path(__file__).parents[2] / "asm-core/src/asm_core/aio/ports.pyi"
PORTS: Final = {
    "SessionStore": "asm_core.ports.session_store",
    "QueryAPI": "asm_core.ports.query_api",
    "Maintenance": "asm_core.ports.maintenance",
    "ArtifactRegistry": "asm_core.ports.artifact_registry",
    "StateStore": "asm_core.ports.state_store",
    "Artifacts": "asm_core.ports.artifacts",
    "SessionManager": "asm_core.recording.manager",
}
NAMES: Final = {"Backend": "Schema", "SessionManager": "ManagedSessions"}
APART: Final = ("stream",)
"""Methods that the asynchronous class writes itself."""
SCHEMA: Final = ("migrate", "schema_version")
_WIDTH: Final = 120
_HEAD: Final = '''\
"""The types of the ports for asyncio. Do not edit: `nox -s stubs` writes this file from the synchronous ports."""

'''


def stub() -> str:
    """Return the text of the stub."""
    modules = {**PORTS, "Backend": "asm_core.ports.backend"}
    trees = {name: tree_of(module) for name, module in modules.items()}
    methods = {name: methods_of(class_of(tree, name)) for name, tree in trees.items()}
    sources = {name: source for kind, tree in trees.items() for name, source in sources_of(tree, modules[kind]).items()}
    names = {name for found in methods.values() for node in found for name in names_in(node)}
    text = "\n".join(text_of(name, found) for name, found in methods.items())
    return _HEAD + imports({name: sources[name] for name in names if name in sources}) + "\n" + text


def tree_of(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text("utf-8"))


def class_of(tree: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def methods_of(port: ast.ClassDef) -> list[ast.FunctionDef]:
    """Return the public methods of a port; of the backend those that the facade derives."""
    found = [node for node in port.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    return [node for node in found if node.name not in APART and (port.name in PORTS or node.name in SCHEMA)]


def sources_of(tree: ast.Module, module: str) -> dict[str, str]:
    """Return the module of each name that a module imports or defines."""
    found = {node.name: module for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {alias.name: node.module for alias in node.names}
    return found


def names_in(node: ast.FunctionDef) -> set[str]:
    """Return the names in the annotations of a method."""
    arguments = [*node.args.args, *node.args.kwonlyargs]
    annotations = [*(argument.annotation for argument in arguments), node.returns]
    return {
        name.id for part in annotations if part is not None for name in ast.walk(part) if isinstance(name, ast.Name)
    }


def imports(sources: dict[str, str]) -> str:
    """Return the imports of these names, in the order of the formatter."""
    names: dict[str, list[str]] = {"collections.abc": ["AsyncIterator"], "asm_core.aio.facade": ["Port"]}
    for name, module in sources.items():
        if name != "Iterator":
            names.setdefault(module, []).append(name)
    lines = [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]
    own = [line for line in lines if line.startswith("from asm_core")]
    return "\n".join([*(line for line in lines if line not in own), "", *own]) + "\n"


def text_of(name: str, methods: list[ast.FunctionDef]) -> str:
    """Return the class of a port; of the backend and the session manager their base classes."""
    lines = [
        f"class {NAMES.get(name, name)}(Port):",
        *(line for node in methods for line in method(node)),
    ]
    return "\n".join(lines) + "\n"


def method(node: ast.FunctionDef) -> list[str]:
    """Return the lines of a method: its signature, and the first line of its docstring."""
    assert node.returns is not None
    returns = ast.unparse(node.returns)
    kind = "async def"
    if returns.startswith("Iterator["):
        kind, returns = "def", f"Async{returns}"
    given = parameters(node.args)
    doc = (ast.get_docstring(node) or "").partition("\n")[0]
    line = f"    {kind} {node.name}({', '.join(given)}) -> {returns}:"
    if len(line) > _WIDTH:
        listed = [f"        {parameter}," for parameter in given]
        return [f"    {kind} {node.name}(", *listed, f"    ) -> {returns}:", f'        """{doc}"""']
    return [line, f'        """{doc}"""']


def parameters(arguments: ast.arguments) -> list[str]:
    """Return the parameters as text, with simple defaults."""
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    given = [parameter(*pair) for pair in zip(positional, [*missing, *arguments.defaults], strict=True)]
    assert not arguments.posonlyargs
    if arguments.kwonlyargs:
        given.append("*")
    return given + [parameter(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]


def parameter(argument: ast.arg, default: ast.expr | None) -> str:
    annotation = "" if argument.annotation is None else f": {ast.unparse(argument.annotation)}"
    if default is None:
        return argument.arg + annotation
    value = ast.unparse(default).replace("'", '"') if isinstance(default, ast.Constant | ast.Tuple) else "..."
    return f"{argument.arg}{annotation} = {value}"


if __name__ == "__main__":
    STUB.write_text(stub(), "utf-8")
