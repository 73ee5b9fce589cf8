"""Records of state that have expired."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import days_ago
from asm_core import Backend, Maintenance, RetentionPolicy, StateStore
from asm_core.values.times import utc_now

EXPIRED = 5


class RecordsContract(Contract):
    """Maintenance removes the records that have expired, and no others."""

    @pytest.fixture
    def expired(self, state: StateStore) -> None:
        """Put records that have expired, in two namespaces."""
        for place in range(EXPIRED):
            state.put("ab"[place % 2], str(place), place, expires_at=days_ago(place))

    @pytest.mark.usefixtures("expired")
    def test_expired_records_are_removed_once(self, maintenance: Maintenance) -> None:
        """Check `remove_expired_records`: it removes them permanently."""
        assert [maintenance.clean_expired_records(), maintenance.clean_expired_records()] == [EXPIRED, 0]

    @pytest.mark.usefixtures("expired")
    def test_records_that_live_are_kept(self, state: StateStore, maintenance: Maintenance) -> None:
        """Look for a removal by namespace or by key alone, and for a comparison that is the wrong way round."""
        state.put("a", "renewed", 1, expires_at=days_ago(1))
        kept = [
            state.put("a", "forever", 1),
            state.put("a", "later", 1, expires_at=utc_now() + timedelta(days=1)),
            state.put("a", "renewed", 2),
        ]
        assert maintenance.clean_expired_records() == EXPIRED
        assert state.list("a").items == kept

    @pytest.mark.guarantee("G14")
    @pytest.mark.usefixtures("expired")
    def test_expired_records_are_removed_in_batches(self, maintenance: Maintenance) -> None:
        """Check `limit` of `remove_expired_records`."""
        counts: list[tuple[str, int]] = []
        report = maintenance.execute(
            RetentionPolicy(batch_size=2), progress=lambda step, count: counts.append((step, count))
        )
        assert report.records_removed == EXPIRED
        assert counts == [("records_removed", count) for count in (2, 2, 1)]

    @pytest.mark.usefixtures("expired")
    def test_a_dry_run_counts_expired_records(self, maintenance: Maintenance) -> None:
        """Check `count_expired_records`, which must remove nothing."""
        reports = [maintenance.execute(RetentionPolicy(), dry_run=dry).records_removed for dry in (True, True, False)]
        assert reports == [EXPIRED] * 3

    @pytest.mark.guarantee("G16")
    @pytest.mark.requires("transactions")
    @pytest.mark.usefixtures("expired")
    def test_a_removal_of_records_is_rolled_back(self, backend: Backend) -> None:
        """Check that `remove_expired_records` joins the transaction."""

        def fail() -> None:
            with backend.transaction() as ports:
                assert ports.maintenance.clean_expired_records() == EXPIRED
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert backend.maintenance.clean_expired_records() == EXPIRED
