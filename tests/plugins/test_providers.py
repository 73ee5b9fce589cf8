"""Providers of strangers, found by name, and their configuration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.config.providers import resolve_provider
from asm_core.plugins.discovery import Offer
from asm_core.testing import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def described(name: str = "acme", **fields: Any) -> asm.ProviderSpec:
    sound = {"open": open_fake, "capabilities": frozenset(), "port_version": asm.PORT_VERSION}
    return asm.ProviderSpec(**{"name": name, **sound, **fields})


def open_fake(*, model: str, words: str = "hi") -> FakeProvider:
    return FakeProvider([words], model=model)


def raises(error: BaseException) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


def offer(name: str, load: Callable[[], Any]) -> Offer:
    return Offer(name=name, distribution=f"{name}-asm", version="2.0", value=name, entry=SimpleNamespace(load=load))


def plugin(give: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: SimpleNamespace(asm_provider=asm.hookimpl(give))


PLUGINS: dict[str, Any] = {
    "acme": plugin(described),
    "ancient": plugin(lambda: described("ancient", port_version=0)),
    "exits": raises(SystemExit("no")),
    "misnamed": plugin(lambda: described("other")),
    "nonsense": plugin(lambda: 5),
    "of_backends": plugin(lambda: asm.BackendSpec(name="x", open=open_fake, capabilities=frozenset(), port_version=5)),
    "opens_nothing": plugin(lambda: described("opens_nothing", open=lambda: None)),
    "torn": raises(ImportError("no module")),
    "without_sdk": plugin(lambda: described("without_sdk", requires=("a_missing_sdk",))),
}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offers = [offer(name, load) for name, load in PLUGINS.items()]
    monkeypatch.setattr("asm_core.plugins.loading.find_offers", lambda _group: offers)
    monkeypatch.chdir(tmp_path)
    for name in ("ASM_PROVIDER", "ASM_MODEL", "ASM_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def refused(name: str | None, **options: Any) -> asm.AsmError:
    with pytest.raises(asm.AsmError) as caught:
        asm.open_provider(name, **options)
    return caught.value


def test_a_provider_is_opened_by_name_with_its_options() -> None:
    provider = asm.open_provider("acme", model="m", words="hello")
    with asm.MemoryBackend() as backend:
        manager = asm.SessionManager(backend.session_store, provider)  # type: ignore[arg-type]
        assert manager.run_once("hi").output["content"] == "hello"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ancient", "incompatible_provider"),
        ("exits", "broken_provider"),
        ("misnamed", "broken_provider"),
        ("nonsense", "broken_provider"),
        ("of_backends", "broken_provider"),
        ("opens_nothing", "broken_provider"),
        ("torn", "broken_provider"),
        ("without_sdk", "dependency_not_available"),
        ("acmee", "unknown_provider"),
    ],
)
def test_a_provider_that_cannot_be_opened_has_its_error(name: str, code: str) -> None:
    error = refused(name)
    assert error.code == code
    assert name in error.message


def test_a_misspelt_name_gets_a_suggestion() -> None:
    assert "Did you mean 'acme'?" in refused("acmee").message


def test_an_unknown_or_a_missing_option_is_refused() -> None:
    unknown = refused("acme", modle="m")
    assert unknown.message == "The provider 'acme' has no option 'modle'. Its options: model, words."
    assert "missing 1 required keyword-only argument: 'model'" in refused("acme").message


def test_all_are_listed_as_what_they_are() -> None:
    listed = {found.name: found.status for found in asm.installed_providers()}
    broken = {"exits", "misnamed", "nonsense", "of_backends", "torn", "without_sdk"}
    expected = {"acme": "ok", "opens_nothing": "ok", "ancient": "incompatible", **dict.fromkeys(broken, "broken")}
    assert listed == expected


def test_without_a_name_the_only_provider_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No provider is named" in refused(None).message
    only = [offer("acme", PLUGINS["acme"])]
    monkeypatch.setattr("asm_core.plugins.loading.find_offers", lambda _group: only)
    assert asm.open_provider(model="m").name == "fake"


def test_arguments_override_the_environment_and_that_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "asm.toml").write_text('provider = "acme"\n[providers.acme]\nmodel = "file"\nwords = "file"\n', "utf-8")
    found = resolve_provider()
    assert (found.name, found.options) == ("acme", {"model": "file", "words": "file"})
    monkeypatch.setenv("ASM_MODEL", "environment")
    assert resolve_provider().options == {"model": "environment", "words": "file"}
    assert resolve_provider(options={"model": "given"}).options["model"] == "given"
    monkeypatch.setenv("ASM_PROVIDER", "other")
    assert (resolve_provider().name, resolve_provider().options) == ("other", {"model": "environment"})
    assert resolve_provider("acme").options["words"] == "file"
    assert resolve_provider(config="asm.toml").name == "acme"
    assert "file" not in repr(found)


def test_the_file_of_another_user_configures_no_provider(tmp_path: Path) -> None:
    file = tmp_path / "asm.toml"
    file.write_text('[providers.acme]\nmodel = "m"\nbase_url = "http://elsewhere"\n', "utf-8")
    file.chmod(0o666)
    error = refused("acme")
    assert error.code == "validation_error"
    assert "is not trusted" in error.message
    assert resolve_provider("acme", config=file).options["base_url"] == "http://elsewhere"


@pytest.mark.parametrize("text", ["provider = 5", 'providers = "acme"', "providers.acme = 5"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "asm.toml").write_text(text, "utf-8")
    assert refused("acme").code == "validation_error"


def test_keys_of_providers_are_no_options_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    text = 'backend = "memory"\nprovider = "acme"\n[providers.acme]\nmodel = "m"\n'
    (tmp_path / "asm.toml").write_text(text, "utf-8")
    assert asm.resolve_store().options == {}
    with asm.open_backend() as backend:
        assert backend.name == "memory"
