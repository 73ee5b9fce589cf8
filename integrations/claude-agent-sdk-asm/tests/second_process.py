"""Runs a turn of Claude Code in a process of its own: URL of the store, of the model, directory, text, session id."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

import asm_core
from claude_agent_sdk_asm import AsmSessionStore


async def main(url: str, model_url: str, directory: str, text: str, session_id: str = "") -> None:
    work = Path(directory).parent / "work"
    work.mkdir(exist_ok=True)
    env = {
        "ANTHROPIC_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": model_url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CONFIG_DIR": directory,
        "HOME": directory,
    }
    async with asm_core.aio.open_backend("sqlmodel", url=url) as backend:
        options = ClaudeAgentOptions(
            session_store=AsmSessionStore(backend),
            resume=session_id or None,
            cwd=work,
            env=env,
            model="claude-x",
        )
        async for message in query(prompt=text, options=options):
            if isinstance(message, ResultMessage):
                sys.stdout.write(json.dumps({"session_id": message.session_id, "result": message.result}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
