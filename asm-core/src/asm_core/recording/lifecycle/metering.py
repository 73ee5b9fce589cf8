"""The usage of a run, as its provider reports it in events and in its result."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.conversation.shapes import WARNINGS
from asm_core.errors import ValidationError
from asm_core.models import EventType, Run, TokenUsage
from asm_core.values.money import rounded_usd
from asm_core.values.payloads import Payload, check_payload

if TYPE_CHECKING:
    from asm_core.ports import ProviderResult
    from asm_core.querying.accounting.prices import Prices

METERED: Final = frozenset({EventType.TOKEN_USAGE_UPDATED, EventType.TURN_COMPLETED})


class Meter:
    """Adds up what a run uses. Safe to share between threads.

    A response that is reported several times counts once, each count at its greatest. A report without a response
    counts each time. A report that cannot be read is kept, and noted as a warning.
    """

    def __init__(self, run: Run) -> None:
        """Begin with what the run has used so far."""
        self._lock = threading.Lock()
        self._before = run.token_usage
        self._turns_before = run.turn_count
        self._responses: dict[str, TokenUsage] = {}
        self._others = TokenUsage()
        self._result = TokenUsage()
        self._turns = 0
        self._model: str | None = None
        self._warnings: list[str] = []
        self._unread: Any = None

    def take(self, kind: EventType, data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Count an event of one of the types `METERED`; return its data in JSON types, and warnings."""
        if kind is EventType.TURN_COMPLETED:
            with self._lock:
                self._turns += 1
            return data, []
        raw, response, model = data.get("usage"), data.get("response_id"), data.get("model")
        try:
            usage = TokenUsage.from_provider(raw)
        except Exception as error:  # noqa: BLE001  a foreign object may raise anything
            return {**data, "usage": _kept(raw)}, [self._warn(error)]
        with self._lock:
            self._model = model if isinstance(model, str) and model else self._model
            if isinstance(response, str):
                self._responses[response] = self._responses.get(response, TokenUsage()).greatest(usage)
            else:
                self._others += usage
        return {**data, "usage": raw if isinstance(raw, dict) else dict(usage)}, []

    def take_result(self, result: ProviderResult) -> None:
        """Take the usage of a result: that of the whole run, which its events may have reported in part."""
        raw = result.token_usage
        try:
            usage = raw if isinstance(raw, TokenUsage) else TokenUsage.from_provider(raw)
        except Exception as error:  # noqa: BLE001  a foreign object may raise anything
            self._warn(error)
            self._unread = _kept(raw)
        else:
            self._result = usage

    @property
    def usage(self) -> TokenUsage:
        """What was used so far in this execution."""
        with self._lock:
            total = self._others
            for usage in self._responses.values():
                total += usage
        return total.greatest(self._result)

    def apply(self, run: Run) -> Run:
        """Return the run with what it has used; what is stored already never shrinks."""
        metadata, provider_metadata = run.metadata, run.provider_metadata
        if self._warnings:
            kept = metadata.get(WARNINGS)
            known = kept if isinstance(kept, list) else []
            metadata = {**metadata, WARNINGS: [*known, *(text for text in self._warnings if text not in known)]}
        if self._unread is not None:
            provider_metadata = {**provider_metadata, "token_usage": self._unread}
        if self._model is not None and run.model is None:
            provider_metadata = {**provider_metadata, "model": self._model}
        return msgspec.structs.replace(
            run,
            token_usage=run.token_usage.greatest(self._before + self.usage),
            turn_count=max(run.turn_count, self._turns_before + self._turns),
            metadata=metadata,
            provider_metadata=provider_metadata,
        )

    def _warn(self, error: Exception) -> str:
        text = f"Token usage was not counted: {error}"
        with self._lock:
            self._warnings.append(text)
        return text


def priced(run: Run, prices: Prices) -> Run:
    """Return a run with the cost of its tokens, unless it has a cost, no price, or usage that was not counted."""
    price = None if run.cost_usd is not None else prices.price_of(run.provider, run.model)
    if price is None or not run.total_tokens or run.metadata.get(WARNINGS):
        return run
    return run.with_cost(rounded_usd(price.cost_of(run.token_usage)))


def _kept(raw: object) -> Payload | str:
    """Return usage that could not be read in JSON types."""
    try:
        return check_payload("usage", raw)
    except ValidationError:
        try:
            return repr(raw)[:2000].encode(errors="backslashreplace").decode()
        except Exception as error:  # noqa: BLE001  a foreign object may raise anything
            return f"an object that cannot be shown: {type(error).__name__}"
