"""The suite guards itself: no test can be lost, gaps are declared, capabilities are honest."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests import BackendContract, QueryAPIContract

NAME = "test_an_empty_store_lists_no_sessions"


def derived(*bases: type, **body: Any) -> type:
    return type("TestAcme", bases or (BackendContract,), body)


def test_overriding_a_test_is_refused() -> None:
    with pytest.raises(TypeError, match=f"ListSessionsContract.{NAME} is overridden or removed in TestAcme"):
        derived(**{NAME: print})


def test_removing_a_test_is_refused() -> None:
    with pytest.raises(TypeError, match=f"ListSessionsContract.{NAME} is overridden or removed in TestAcme"):
        derived(**{NAME: None})


def test_hiding_a_test_by_another_base_is_refused() -> None:
    shadow = type("Shadow", (), {NAME: print})
    with pytest.raises(TypeError, match="is overridden or removed in Shadow"):
        derived(shadow, BackendContract)


def test_hiding_a_test_further_up_is_refused_further_down() -> None:
    mixin = type("Mixin", (), {NAME: None})
    between = derived()
    with pytest.raises(TypeError, match="is overridden or removed in Mixin"):
        type("TestBelow", (mixin, between), {})


@pytest.mark.parametrize("part", ["backend", "store", "_capable", "stored_runs"])
def test_replacing_a_part_of_a_contract_is_refused(part: str) -> None:
    with pytest.raises(TypeError, match=f"{part} is overridden or removed in TestAcme"):
        derived(**{part: print})


def test_the_message_has_advice() -> None:
    with pytest.raises(TypeError, match=f'rename the definition there, .* known_gaps = .*"{NAME}": "why"'):
        derived(**{NAME: None})


def test_tests_and_fixtures_of_ones_own_are_welcome() -> None:
    own = derived(test_of_my_own=print, open_backend=None, known_gaps={}, callers_transaction=None)
    assert issubclass(own, BackendContract)


def test_one_contract_alone_may_be_used() -> None:
    assert not hasattr(derived(QueryAPIContract), NAME)


@pytest.mark.parametrize(
    ("gaps", "message"),
    [
        ({"test_an_empty_store_lists_no_session": "why"}, f"no such test. Did you mean '{NAME}'"),
        ({"nonsense": "why"}, "contains 'nonsense', but there is no such test"),
        ({"open_backend": "why"}, "there is no such test"),
        ({NAME: ""}, "must give a reason"),
        ({NAME: None}, "must give a reason"),
        ([NAME], "must be a dict"),
        (None, "must be a dict"),
    ],
)
def test_known_gaps_name_tests_and_reasons(gaps: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        derived(known_gaps=gaps)
