"""The policies of a manager."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeAlias

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.event_log.waiting import check_wait
from asm_core.models.base import check_natural
from asm_core.ports import QueryAPI
from asm_core.values.money import check_optional_usd

_SCOPES: Final = ("run", "session", "user")
_BUDGET_ACTIONS: Final = ("cancel", "warn")
_TOOL_ACTIONS: Final = ("deny", "ask", "cancel", "warn")


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a run, the runs of a session, or all runs of a user may use.

    The sums of a session and of a user are read from the store, so they hold across processes. Each violation is
    recorded as an event ``policy_violation``, once for a run.

    Attributes:
        tokens: the largest total of tokens.
        cost_usd: the largest cost in US dollars; usage without a price does not count.
        seconds: the longest time that runs execute.
        tool_calls: the largest number of calls of tools.
        idle_seconds: the longest time without an event of the run.
        scope: ``run``, ``session`` or ``user``: whose usage counts.
        action: ``cancel`` ends the run, ``warn`` records the violation only.
        name: the name of the policy in events and errors.

    >>> Budget(tokens=100_000, cost_usd="0.5").cost_usd
    Decimal('0.5')
    """

    tokens: int | None = None
    cost_usd: Decimal | str | int | None = None
    seconds: float | None = None
    tool_calls: int | None = None
    idle_seconds: float | None = None
    scope: Literal["run", "session", "user"] = "run"
    action: Literal["cancel", "warn"] = "cancel"
    name: str = "budget"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValidationError: a field has an invalid value, or there is no limit.
        """
        for field in ("tokens", "tool_calls"):
            if getattr(self, field) is not None:
                check_natural(field, getattr(self, field))
        for field in ("seconds", "idle_seconds"):
            if getattr(self, field) is not None:
                check_wait(field, getattr(self, field))
        if self.cost_usd is not None:
            msgspec.structs.force_setattr(self, "cost_usd", check_optional_usd("cost_usd", _decimal(self.cost_usd)))
        _check_choice("scope", self.scope, _SCOPES)
        _check_choice("action", self.action, _BUDGET_ACTIONS)
        if self.limits == {}:
            message = "A Budget needs at least one of tokens, cost_usd, seconds, tool_calls and idle_seconds."
            raise ValidationError(message)

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that are set, by the names of their fields."""
        fields = ("tokens", "cost_usd", "seconds", "tool_calls", "idle_seconds")
        return {field: value for field in fields if (value := getattr(self, field)) is not None}


class ToolPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which tools a run may call. Names may have wildcards, as ``delete_*``.

    Attributes:
        allowed: the tools that may be called; None: all.
        denied: the tools that may not, even if they are allowed.
        action: what happens to another call: ``deny`` gives the model an error instead of a result, ``ask`` waits for
            a person (`SessionManager.answer_tool_call`), ``cancel`` ends the run, ``warn`` records the violation only.
        ask_timeout: seconds to wait for the person; then the call is denied. None: without a limit.
        name: the name of the policy in events and errors.

    >>> ToolPolicy(denied=["delete_*"]).allows("delete_file")
    False
    """

    allowed: Sequence[str] | None = None
    denied: Sequence[str] = ()
    action: Literal["deny", "ask", "cancel", "warn"] = "deny"
    ask_timeout: float | None = None
    name: str = "tools"

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValidationError: a field has an invalid value.
        """
        for field in ("allowed", "denied"):
            names = getattr(self, field)
            if names is None and field == "allowed":
                continue
            if not isinstance(names, Collection) or isinstance(names, str) or not all(map(_is_name, names)):
                message = f"{field} must be a list of names of tools, not {short_repr(names)}."
                raise ValidationError(message)
        if self.ask_timeout is not None:
            check_wait("ask_timeout", self.ask_timeout)
        _check_choice("action", self.action, _TOOL_ACTIONS)

    def allows(self, tool_name: str) -> bool:
        """Return whether a tool may be called without more ado."""
        if any(fnmatchcase(tool_name, name) for name in self.denied):
            return False
        return self.allowed is None or any(fnmatchcase(tool_name, name) for name in self.allowed)


Policy: TypeAlias = Budget | ToolPolicy


class Policies(msgspec.Struct, frozen=True):
    """The policies of a manager, by kind, and what the sums of sessions and users are read from."""

    budgets: tuple[Budget, ...] = ()
    tools: tuple[ToolPolicy, ...] = ()
    query_api: QueryAPI | None = None


def check_policies(policies: Iterable[Policy], query_api: QueryAPI | None) -> Policies:
    """Return the policies of a manager.

    Raises:
        ValidationError: one is of another type, or needs the sums of a query API that is not given.
    """
    if not isinstance(policies, Iterable):
        message = f"policies must be a list of policies, not {short_repr(policies)}."
        raise ValidationError(message)
    given = tuple(policies)
    for policy in given:
        if not isinstance(policy, Budget | ToolPolicy):
            message = f"A policy must be a Budget or a ToolPolicy, not {short_repr(policy)}."
            raise ValidationError(message)
        if isinstance(policy, Budget) and policy.scope != "run" and query_api is None:
            message = f'A Budget with the scope "{policy.scope}" needs the option query_api=backend.query_api.'
            raise ValidationError(message)
    budgets = tuple(policy for policy in given if isinstance(policy, Budget))
    return Policies(budgets, tuple(policy for policy in given if isinstance(policy, ToolPolicy)), query_api)


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _decimal(value: object) -> object:
    """Return a number that is given as a text or an integer as a decimal; anything else as it is."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return value
    try:
        return Decimal(value)
    except InvalidOperation:
        message = f"cost_usd must be a number of US dollars, not {short_repr(value)}."
        raise ValidationError(message) from None


def _check_choice(field: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        message = f"{field} must be one of {', '.join(choices)}, not {short_repr(value)}."
        raise ValidationError(message)
