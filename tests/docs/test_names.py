"""Whatever a user may write is in the documentation."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest
from blocks import PAGES, ROOT
from test_code_blocks import README

import asm_core as asm
import asm_core.sql
from asm_core import errors
from asm_core.models import RunStatus, SessionStatus
from asm_core.ports import Reader, RetentionStore
from asm_core.querying.queries import EVENT_ORDERS, RUN_ORDERS, SESSION_ORDERS
from asm_core.sql.options import PostgreSQLOptions, SQLiteOptions

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
TEXTS = {page: page.read_text("utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXTS.values())
PORTS = (
    asm.SessionStore,
    asm.QueryAPI,
    asm.Maintenance,
    asm.ArtifactRegistry,
    asm.StateStore,
    asm.ArtifactStore,
    asm.Artifacts,
)


def named(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def page(name: str) -> str:
    return TEXTS[DOCS / name]


@pytest.mark.parametrize("name", asm.__all__)
def test_every_public_name_has_a_docstring_and_is_documented(name: str) -> None:
    found = getattr(asm, name)
    assert isinstance(found, int) or inspect.getdoc(found)
    assert named(name, EVERYTHING)


@pytest.mark.parametrize("name", asm_core.sql.__all__)
def test_what_sql_backends_share_is_documented(name: str) -> None:
    assert named(name, page("write-a-backend.md"))


@pytest.mark.parametrize(
    "kind",
    [Reader, asm.SessionStore, asm.QueryAPI, RetentionStore, asm.ArtifactRegistry, asm.StateStore],
    ids=lambda kind: kind.__name__,
)
def test_every_primitive_is_documented(kind: type) -> None:
    for name in kind.__abstractmethods__:  # type: ignore[attr-defined]
        assert re.search(rf"^\| .*`{name}\(", page("write-a-store.md"), re.MULTILINE), name


@pytest.mark.parametrize("port", [*PORTS, asm.Backend])
def test_every_method_of_a_port_is_documented(port: type) -> None:
    for name in dir(port):
        if not name.startswith("_") and callable(getattr(port, name)):
            assert named(name, page("ports.md")), name


ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, asm.AsmError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_code_is_documented(kind: type[asm.AsmError]) -> None:
    assert f"| `{kind.code}` | `{kind.__name__}` |" in page("errors.md")
    assert kind.__doc__


@pytest.mark.parametrize("capability", asm.Capability)
def test_every_capability_is_documented(capability: str) -> None:
    assert f"| `{capability}` |" in page("write-a-backend.md")


@pytest.mark.parametrize("options", [SQLiteOptions, PostgreSQLOptions])
def test_every_option_of_a_backend_is_documented(options: type) -> None:
    for name, parameter in inspect.signature(options).parameters.items():
        default = f'"{parameter.default}"' if isinstance(parameter.default, str) else f"{parameter.default}"
        default = default.removesuffix(".0")
        assert re.search(rf"^\| `{name}` \|.*\| {default} \|$", page("configuration.md"), re.MULTILINE), name


def test_every_field_of_a_retention_policy_is_documented() -> None:
    for name in inspect.signature(asm.RetentionPolicy).parameters:
        assert f"| `{name}` |" in page("configuration.md"), name


def test_every_variable_of_the_environment_is_documented() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "asm-core" / "src").rglob("*.py"))
    for name in set(re.findall(r"\bASM_[A-Z_]+\b", source)):
        assert f"`{name}`" in page("configuration.md"), name


@pytest.mark.parametrize("values", [asm.EventType, SessionStatus, RunStatus, SESSION_ORDERS, RUN_ORDERS, EVENT_ORDERS])
def test_every_name_that_an_argument_takes_is_documented(values: list[str]) -> None:
    for value in values:
        assert f"`{value}`" in page("ports.md"), value


@pytest.mark.parametrize("model", [asm.Session, asm.Run, asm.Event, asm.Artifact])
def test_every_field_of_a_model_is_documented(model: type) -> None:
    for field in model.__struct_fields__:  # type: ignore[attr-defined]
        assert f"`{field}`" in page("ports.md"), field


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[path]):
        assert (path.parent / target).exists(), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+)\)", TEXTS[README]))
    for path in PAGES[1:]:
        name = str(path.relative_to(ROOT))
        assert name in linked or str(path.parent.relative_to(ROOT)) in linked, name


def test_each_error_has_one_http_status_which_the_example_answers() -> None:
    text = page("web.md")
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE)
    documented = [(code, int(status)) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)]
    example = re.findall(r"^    asm\.(\w+): (\d+),$", text, re.MULTILINE)
    answered = {getattr(asm, name): int(status) for name, status in example}
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, asm.AsmError)]
    expected = {kind.code: next(answered[base] for base in kind.__mro__ if base in answered) for kind in kinds}
    assert sorted(documented) == sorted(expected.items())
