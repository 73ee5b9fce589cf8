"""A setting that no server can satisfy is an error of the caller, not of the server."""

from __future__ import annotations

import pytest

import asm_core as asm


@pytest.mark.parametrize("backend_name", ["sqlmodel", "peewee", "pony"])
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("h1,h2/asm?target_session_attrs=writable", "target_session_attrs in the url must be one of any, read-write"),
        ("h1,h2/asm?target_session_attrs=", "target_session_attrs in the url must be one of"),
        ("h1:5432,h2:99999/asm", "A port is an integer from 1 to 65535"),
        ("h1:0/asm", "A port is an integer from 1 to 65535"),
        ("/asm?host=h1,h2&port=5432,x", "A port is an integer from 1 to 65535"),
    ],
)
@pytest.mark.parametrize("option", ["url", "read_url"])
def test_invalid_hosts_and_kinds_of_server_are_refused(
    postgresql_url: str, backend_name: str, option: str, rest: str, message: str
) -> None:
    urls = {"url": postgresql_url, option: f"postgresql://{rest}"}
    with pytest.raises(asm.ValidationError, match=message):
        asm.open_backend(backend_name, migrate=True, **urls)
