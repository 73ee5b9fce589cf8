"""The ports for asyncio. Their types are in ``ports.pyi``, which ``nox -s stubs`` writes."""

from asm_core import ports
from asm_core.aio.facade import asynchronous

SessionStore = asynchronous(ports.SessionStore)
QueryAPI = asynchronous(ports.QueryAPI)
Maintenance = asynchronous(ports.Maintenance)
ArtifactRegistry = asynchronous(ports.ArtifactRegistry)
Schema = asynchronous(ports.Backend, "migrate", "schema_version")
