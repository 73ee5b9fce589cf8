"""The event log of a session: checks of a batch, idempotency, waiting and following."""
