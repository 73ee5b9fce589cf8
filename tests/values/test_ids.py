from __future__ import annotations

import threading
import uuid

from processes import ended

from asm_core.values.ids import new_id, new_ids


def test_ids_sort_in_the_order_of_their_making() -> None:
    ids = [new_id("evt"), *new_ids("evt", 1_000), new_id("evt"), *new_ids("evt", 3)]
    assert ids == sorted(set(ids))


def test_ids_are_uuids_of_version_7() -> None:
    for made in [new_id("evt"), *new_ids("evt", 1_000)]:
        number = uuid.UUID(made.removeprefix("evt_"))
        assert (number.version, number.variant) == (7, uuid.RFC_4122)


def test_threads_never_get_the_same_moment() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_ids("evt", 1_000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    ended(*threads)
    moments = {made_id[:20] for made_id in made}  # all but the random part
    assert len(moments) == 8_000
