"""Helpers for the tests of applications: a provider that follows a script, without a model."""

from asm_core.testing.fake_provider import FakeProvider, FakeTurn

__all__ = ["FakeProvider", "FakeTurn"]
