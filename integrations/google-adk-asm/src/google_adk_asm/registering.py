"""The URIs by which the framework's command line opens a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google_adk_asm.service import AsmSessionService

if TYPE_CHECKING:
    from google.adk.cli.service_registry import ServiceRegistry

_PREFIX: Final = "asm+"
SCHEMES: Final = ("asm", f"{_PREFIX}sqlite", f"{_PREFIX}postgresql", f"{_PREFIX}memory")


def register(registry: ServiceRegistry | None = None) -> None:
    """Register the schemes of `open_session_service`, for ``adk web --session_service_uri=asm+sqlite:///asm.db``.

    Args:
        registry: where to register them; None: the framework's own.
    """
    if registry is None:
        from google.adk.cli.service_registry import get_service_registry  # noqa: PLC0415  only the command line has it

        registry = get_service_registry()
    for scheme in SCHEMES:
        registry.register_session_service(scheme, open_session_service)


def open_session_service(uri: str, *, agents_dir: str | None = None, **options: Any) -> AsmSessionService:  # noqa: ARG001  the framework's
    """Open the store of a URI, and migrate it if needed.

    Args:
        uri: ``asm+`` and the URL of a database, such as ``asm+sqlite:///asm.db``; ``asm://`` is the store of `ASM_URL`
            or `asm.toml`.
        agents_dir: not used.
        options: those of the backend.
    """
    scheme, _, rest = uri.partition("://")
    url = None if scheme == "asm" and not rest else uri.removeprefix(_PREFIX)
    return AsmSessionService.open(url, **options)
