"""Errors cross process boundaries."""

from __future__ import annotations

import pickle

import pytest

import asm_core as asm

ERRORS = [
    asm.SessionNotFoundError("ses_1"),
    asm.RunNotFoundError("run_1"),
    asm.SessionDeletedError("ses_1"),
    asm.SessionDeletedError("ses_1", in_removal=True),
    asm.AlreadyExistsError("The id is taken.", details={"id": "evt_1"}),
    asm.UnsupportedCapabilityError("file", "bind"),
    asm.UnknownBackendError("sqlmodle", ["sqlmodel"]),
    asm.UnknownProviderError("antropic", ["anthropic"]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_an_error_is_the_same_in_another_process(error: asm.AsmError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (type(copy), copy.message) == (type(error), error.message)


def test_the_error_of_a_soft_deleted_session_names_the_remedy() -> None:
    assert "undelete_session" in str(asm.SessionDeletedError("ses_1"))
    assert "undelete_session" not in str(asm.SessionDeletedError("ses_1", in_removal=True))
