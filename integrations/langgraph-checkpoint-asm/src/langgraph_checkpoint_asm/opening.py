"""What the saver and the store share: a backend that they opened, or that the application did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import asm_core as asm

if TYPE_CHECKING:
    from types import TracebackType


class OnBackend:
    """An object of LangGraph's on a backend.

    Attributes:
        aio: the backend's asynchronous form.
    """

    aio: asm.aio.Backend

    def _use(self, backend: asm.Backend | asm.aio.Backend, *, owns: bool) -> asm.Backend:
        self.aio = asm.aio.wrap(backend, owns=owns)
        self._owns = owns
        return self.aio.sync

    @classmethod
    def open(cls, url: str | None = None, *, backend: str | None = None, **options: Any) -> Self:
        """Open a database and migrate it if needed; `close`, ``with`` or ``async with`` close it.

        Args:
            url: the database; what is not given comes from the configuration, as for `asm_core.open_backend`.
            backend: the name of the backend.
            **options: those of the class.
        """
        opened = asm.open_backend(backend, url=url, migrate=True)
        try:
            make: Any = cls  # each subclass takes a backend, `owns` and options of its own
            return make(opened, owns=True, **options)  # type: ignore[no-any-return]
        except BaseException:
            opened.close()
            raise

    def close(self) -> None:
        """Close the backend if `open` opened it."""
        if self._owns:
            self.aio.sync.close()

    async def aclose(self) -> None:
        """Wait for the calls under way, and close the backend if `open` opened it."""
        await self.aio.close()

    def __enter__(self) -> Self:
        """Return the object."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the object."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()
