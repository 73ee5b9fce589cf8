"""A configuration that was found, and that another user may have written, names a store beside it at most."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asm_core import ValidationError, open_backend, resolve_store

if TYPE_CHECKING:
    from conftest import Write


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ('url = "postgresql://server/database"', "'url'"),
        ('url = "postgresql:///database"', "'url'"),
        ('backend = "acme"\nurl = "acme://server"', "'url'"),
        ('url = "sqlite:////etc/asm.db"', "'url'"),
        ('url = "sqlite:///../asm.db"', "'url'"),
        ('url = "sqlite:///%2e%2e/asm.db"', "'url'"),
        ('url = "sqlite:///out/asm.db"', "'url'"),
        ('url = "sqlite:///asm.db?mode=rw"', "'url'"),
        ('url = "sqlite:///side.db"', "'url'"),
        ('url = "sqlite:///asm.db"\nsynchronous = "normal"', "'synchronous'"),
        ("readers = 1", "'readers'"),
    ],
)
def test_any_other_key_is_refused_with_advice(write_untrusted: Write, text: str, refused: str) -> None:
    Path("out").symlink_to("..")
    Path("side.db-wal").symlink_to("../precious")
    write_untrusted(text)
    with pytest.raises(ValidationError, match=f"asm.toml is not trusted.*{refused}.*--config asm.toml, or ASM_CONFIG="):
        resolve_store()


def test_a_named_store_is_confined_too(write_untrusted: Write) -> None:
    write_untrusted('[stores.other]\nurl = "postgresql://server/database"')
    with pytest.raises(ValidationError, match=r"contains more: \[stores\.other\] 'url'"):
        resolve_store(store="other")


def test_pyproject_toml_is_confined_too(write_untrusted: Write) -> None:
    write_untrusted('[tool.asm]\nurl = "postgresql://server/database"', "pyproject.toml")
    with pytest.raises(ValidationError, match=r"pyproject\.toml is not trusted"):
        resolve_store()


def test_it_may_name_a_store_inside_its_directory(write_untrusted: Write) -> None:
    write_untrusted('backend = "peewee"\nurl = "sqlite:///sub/asm.db"')
    store = resolve_store()
    assert (store.backend, store.url, store.trusted) == ("peewee", "sqlite:///sub/asm.db", False)


def test_one_that_names_no_place_gets_the_default_place(write_untrusted: Write) -> None:
    write_untrusted('backend = "acme"')
    assert resolve_store().url == "sqlite:///asm.db"


def test_a_file_that_is_named_is_trusted(write_untrusted: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_untrusted('url = "postgresql://server/database"\npool_size = 1')
    assert resolve_store(config=path).options == {"pool_size": 1}
    monkeypatch.setenv("ASM_CONFIG", str(path))
    store = resolve_store()
    assert (store.url, store.trusted) == ("postgresql://server/database", True)


def test_where_the_place_is_named_it_is_not_read(write_untrusted: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write_untrusted('url = "postgresql://server/database"\npool_size = 1\nnonsense')
    assert resolve_store(url="sqlite:///own.db").options == {}
    monkeypatch.setenv("ASM_URL", "sqlite:///own.db")
    assert resolve_store().url == "sqlite:///own.db"


def test_a_link_of_another_user_is_as_untrusted_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text("readers = 1", "utf-8")
    Path("asm.toml").symlink_to(own)
    assert resolve_store().options == {"readers": 1}
    lstat, found = os.lstat, os.lstat("asm.toml")
    stranger = os.stat_result((*found[:4], 4242, *found[5:]))
    monkeypatch.setattr(os, "lstat", lambda path: stranger if str(path) == "asm.toml" else lstat(path))
    with pytest.raises(ValidationError, match="user 4242 owns it"):
        resolve_store()


def test_ones_own_group_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("asm.toml").write_text("readers = 1", "utf-8")
    Path("asm.toml").chmod(0o664)
    found = Path("asm.toml").stat()
    me = "me"
    monkeypatch.setattr("pwd.getpwuid", lambda _uid: type("User", (), {"pw_gid": found.st_gid, "pw_name": me}))
    group = type("Group", (), {"gr_gid": found.st_gid, "gr_name": me, "gr_mem": []})
    monkeypatch.setattr("grp.getgrgid", lambda _gid: group)
    assert resolve_store().options == {"readers": 1}
    group.gr_mem = ["mallory"]  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="others can write it"):
        resolve_store()


@pytest.mark.parametrize("name", ["asm.toml", "pyproject.toml"])
def test_a_fifo_is_refused_and_not_waited_for(name: str) -> None:
    os.mkfifo(name)
    with pytest.raises(ValidationError, match=f"{name} is not a regular file"):
        resolve_store()


def test_a_directory_is_refused() -> None:
    Path("asm.toml").mkdir()
    with pytest.raises(ValidationError, match=r"asm\.toml is not a regular file|asm\.toml cannot be read"):
        resolve_store()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"a = " + b"{b=" * 5000, "nested too deeply|cannot be read as TOML"),
        (b"busy_timeout = " + b"1" * 5000, "cannot be read as TOML"),
        (b"url = '\xff'", "cannot be read as TOML"),
        (b"#" * 2_000_000, "larger than 1048576 bytes"),
        (b"migrate = true", "migrate in asm.toml is not an option of a store"),
        (b"stores = 5", "stores in asm.toml must be a table"),
    ],
    ids=["nested", "tables", "digits", "not UTF-8", "huge", "migrate", "stores"],
)
def test_a_file_that_cannot_be_is_a_clear_error(content: bytes, message: str) -> None:
    Path("asm.toml").write_bytes(content)
    with pytest.raises(ValidationError, match=message) as caught:
        resolve_store()
    assert "asm.toml" in caught.value.message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("nonsense = 1", "nonsense"),
        ("cls = 1", "cls"),
        ("self = 1", "self"),
        ("busy_timeout = 'long'", "busy_timeout"),
        (f"busy_timeout = 0x{'f' * 5000}", "busy_timeout"),
        ("busy_timeout = nan", "busy_timeout"),
        ("readers = 2026-01-01", "readers"),
        ("synchronous = [[1]]", "synchronous"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlmodel", "peewee", "pony"])
def test_an_option_that_makes_no_sense_is_named_with_its_file(backend: str, text: str, key: str) -> None:
    Path("asm.toml").write_text(f"backend = '{backend}'\n{text}", "utf-8")
    with pytest.raises(ValidationError, match=rf"{key}.*\(asm\.toml configures this store\.\)"):
        open_backend(migrate=True)


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASM_CONFIG", "missing.toml")
    with pytest.raises(ValidationError, match=r"missing\.toml cannot be read: No such file"):
        resolve_store()


def test_what_is_named_goes_before_what_is_found_and_the_option_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("asm", "named", "option"):
        Path(f"{name}.toml").write_text(f'url = "{name}"', "utf-8")
    monkeypatch.setenv("ASM_CONFIG", "named.toml")
    assert resolve_store().url == "named"
    monkeypatch.setenv("ASM_URL", "environment")
    assert resolve_store().url == "environment"
    assert resolve_store(config="option.toml").url == "option"
