"""Output of ``asm run`` before its line ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = ("run", "--agent", "a", "--quiet")


def recorded(process: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return the data of the recorded output, in its order."""
    (session,) = json.loads(process("sessions", "--json").stdout)
    events = json.loads(process("show", session["id"], "--json").stdout)["events"]
    return [event["data"] for event in events if event["type"] == "message_streamed"]


def test_a_prompt_is_shown_before_it_is_answered(start: Callable[..., Any], process: Callable[..., Any]) -> None:
    asks = "name = input('name? '); print(f'hello {name}')"
    with start(*RUN, "--", sys.executable, "-c", asks, stdin=subprocess.PIPE) as child:
        assert child.stdout.read(6) == "name? "
        out, _ = child.communicate("you\n")
    assert (out, child.returncode) == ("hello you\n", 0)
    assert [data["delta"] for data in recorded(process)] == ["name? ", "hello you\n"]


def test_merge_keeps_the_order_of_the_streams(process: Callable[..., Any]) -> None:
    program = "import os\nfor number in range(500): os.write(1 + number % 2, b'%d\\n' % number)"
    result = process(*RUN, "--merge", "--", sys.executable, "-c", program)
    assert (result.stdout, result.stderr) == ("".join(f"{number}\n" for number in range(500)), "")
    assert "".join(data["delta"] for data in recorded(process)) == result.stdout
