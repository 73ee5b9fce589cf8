from __future__ import annotations

import asyncio
from typing import Any

import pytest

import asm_core as asm

AT_ONCE = asm.RetryPolicy(attempts=3, initial=0)


class Failing:
    """Raises errors, then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def awaited(self) -> str:
        return self()


LOST = asm.StorageConnectionError("away")


@pytest.fixture(params=["run", "run_async"])
def run(request: pytest.FixtureRequest) -> Any:
    if request.param == "run":
        return lambda policy, call: policy.run(call)
    return lambda policy, call: asyncio.run(policy.run_async(call.awaited))


def test_a_retryable_error_is_tried_again(run: Any) -> None:
    call = Failing(LOST, LOST)
    assert (run(AT_ONCE, call), call.calls) == ("done", 3)


@pytest.mark.parametrize("error", [asm.ValidationError("no"), KeyError("no")])
def test_any_other_error_is_final(run: Any, error: Exception) -> None:
    call = Failing(error)
    with pytest.raises(type(error)):
        run(AT_ONCE, call)
    assert call.calls == 1


def test_the_last_try_raises_its_error(run: Any) -> None:
    call = Failing(LOST, LOST, LOST)
    with pytest.raises(asm.StorageConnectionError):
        run(AT_ONCE, call)
    assert call.calls == 3


def test_pauses_grow_up_to_a_limit() -> None:
    policy = asm.RetryPolicy(attempts=2000, initial=1, maximum=5, jitter=0)
    assert [policy.pause_after(attempt, LOST) for attempt in (1, 2, 3, 4, 1500, 2000)] == [1, 2, 4, 5, 5, None]


def test_jitter_shortens_pauses_at_random() -> None:
    pauses = {asm.RetryPolicy(initial=1, jitter=0.5).pause_after(1, LOST) for _ in range(50)}
    assert len(pauses) > 1
    assert all(pause is not None and 0.5 <= pause <= 1 for pause in pauses)


def test_a_provider_gets_the_pause_that_it_asks_for() -> None:
    error = asm.ProviderRateLimitedError(details={"retry_after": 60})
    assert asm.RetryPolicy(maximum=1).pause_after(1, error) == 60


@pytest.mark.parametrize("seconds", [1e300, 10**300, 10**400])
def test_no_pause_is_longer_than_a_day(seconds: float) -> None:
    error = asm.ProviderRateLimitedError(details={"retry_after": seconds})
    pause = asm.RetryPolicy().pause_after(1, error)
    assert pause is not None
    assert pause <= 86_400


@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"initial": -1},
        {"initial": 10**400},
        {"maximum": "long"},
        {"maximum": float("inf")},
        {"maximum": float("nan")},
        {"jitter": 2},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(asm.ValidationError, match=next(iter(fields))):
        asm.RetryPolicy(**fields)
