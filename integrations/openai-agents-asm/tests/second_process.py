"""Runs a turn of an agent in a process of its own, and prints the model's input: URL, text."""

from __future__ import annotations

import asyncio
import json
import sys

from agents import Runner
from scripted import ScriptedModel, agent, call, message

import asm_core
from openai_agents_asm import AsmSession


async def main(url: str, text: str) -> None:
    model = ScriptedModel(call("weather", city="Oslo"), message(f"answer to {text}"))
    async with asm_core.aio.open_backend("sqlmodel", url=url) as backend:
        session = AsmSession("user:1", backend, user_id="ada", model="gpt-5")
        result = await Runner.run(agent(model), text, session=session)
    sys.stdout.write(json.dumps({"output": result.final_output, "input": model.inputs[0]}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
