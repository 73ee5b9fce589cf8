"""A local HTTP server that speaks the protocols of Anthropic and OpenAI, with scripted answers."""

from __future__ import annotations

import itertools
import json
import select
import socket
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ids = itertools.count(1)

LIMIT = 30.0
"""Seconds after which a test that waits fails."""


class Answer(NamedTuple):
    """A JSON answer."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


class Stream(NamedTuple):
    """A stream of server-sent events.

    Attributes:
        events: the name and the data of each; the name may be empty. A function as data is called, and nothing is sent.
        end: ``"end"``; ``"cut"``: the connection is reset; ``"hang"``: nothing more comes until the client closes it.
    """

    events: list[tuple[str, Any]]
    end: str = "end"


class Request(NamedTuple):
    """A request that the server got."""

    path: str
    headers: dict[str, str]
    body: Any


class ModelServer:
    """Answers requests with `script`, in order; after its end with `otherwise`.

    Attributes:
        requests: what was asked.
        abandoned: set when a client closed a connection whose stream hangs.
        streaming: set when the events of a stream that hangs were sent.
    """

    def __init__(self, *script: Answer | Stream, otherwise: Callable[[Request], Answer | Stream] | None = None) -> None:
        self.script = deque(script)
        self.otherwise = otherwise
        self.requests: list[Request] = []
        self.abandoned = threading.Event()
        self.streaming = threading.Event()
        server = self

        class Handler(_Handler):
            owner = server

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(LIMIT)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Be silent when a client closes its connection."""


class _Handler(BaseHTTPRequestHandler):
    owner: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length) or b"null")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append(Request(self.path, headers, body))
        answer = self._next()
        if isinstance(answer, Answer):
            self._answer(answer)
        else:
            self._stream(answer)

    def _next(self) -> Answer | Stream:
        if self.owner.script:
            return self.owner.script.popleft()
        if self.owner.otherwise is not None:
            return self.owner.otherwise(self.owner.requests[-1])
        return Answer(500, {"error": {"type": "api_error", "message": "the script has ended"}})

    def _answer(self, answer: Answer) -> None:
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: Stream) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name, data in answer.events:
            if callable(data):
                data()
                continue
            text = data if isinstance(data, str) else json.dumps(data)
            try:
                self._chunk((f"event: {name}\n" if name else "") + f"data: {text}\n\n")
            except OSError:  # the client has closed it before all events were sent
                if answer.end != "hang":
                    raise
                self.close_connection = True
                self.owner.abandoned.set()
                return
        self.close_connection = answer.end != "end"
        if answer.end == "hang":
            self.owner.streaming.set()
            if select.select([self.connection], [], [], LIMIT)[0]:
                self.owner.abandoned.set()
        elif answer.end == "cut":
            linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def _pieces(text: str) -> list[str]:
    half = (len(text) + 1) // 2
    return [piece for piece in (text[:half], text[half:]) if piece]


# -- Anthropic -----------------------------------------------------------------------------------------------------


def anthropic(*blocks: Any, stop_reason: str | None = None, end: str = "end", **usage: Any) -> Stream:
    """Stream a message of these blocks; a text stands for a block of text."""
    found = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    calls = any(block["type"] == "tool_use" for block in found)
    counts = {"input_tokens": 10, "output_tokens": 5, **usage}
    message = {
        "id": f"msg_{next(_ids)}",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**counts, "output_tokens": 1},
    }
    events: list[tuple[str, Any]] = [
        ("message_start", {"type": "message_start", "message": message}),
        ("ping", {"type": "ping"}),
    ]
    for index, block in enumerate(found):
        events += _anthropic_block(index, block)
    if end == "end":
        reason = stop_reason or ("tool_use" if calls else "end_turn")
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage_of_end = {"output_tokens": counts["output_tokens"]}
        events.append(("message_delta", {"type": "message_delta", "delta": delta, "usage": usage_of_end}))
        events.append(("message_stop", {"type": "message_stop"}))
    return Stream(events, end)


def _anthropic_block(index: int, block: dict[str, Any]) -> list[tuple[str, Any]]:
    deltas: list[dict[str, Any]] = []
    start = block
    match block["type"]:
        case "text":
            start = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            start = {**block, "input": {}}
            arguments = block["input"] if isinstance(block["input"], str) else json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments)]
    begin = ("content_block_start", {"type": "content_block_start", "index": index, "content_block": start})
    middle = [("content_block_delta", {"type": "content_block_delta", "index": index, "delta": one}) for one in deltas]
    return [begin, *middle, ("content_block_stop", {"type": "content_block_stop", "index": index})]


def tool_use(name: str, arguments: Any, call_id: str = "toolu_1") -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


# -- OpenAI: Responses ---------------------------------------------------------------------------------------------


def responses(*items: Any, status: str = "completed", end: str = "end", **fields: Any) -> Stream:
    """Stream a response of these items; a text stands for a message."""
    output = [_message(item) if isinstance(item, str) else item for item in items]
    base = {
        "id": f"resp_{next(_ids)}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-test-1",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    events: list[tuple[str, Any]] = []

    def add(kind: str, **data: Any) -> None:
        events.append((kind, {"type": kind, "sequence_number": len(events), **data}))

    add("response.created", response={**base, "status": "in_progress"})
    for index, item in enumerate(output):
        add("response.output_item.added", output_index=index, item=item)
        place = {"output_index": index, "item_id": item.get("id", ""), "content_index": 0}
        for part in item.get("content") or []:
            kind, text = ("refusal", part["refusal"]) if part["type"] == "refusal" else ("output_text", part["text"])
            for piece in _pieces(text):
                add(f"response.{kind}.delta", delta=piece, logprobs=[], **place)
        if end == "end":
            add("response.output_item.done", output_index=index, item=item)
    if end == "end":
        usage = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 15,
        }
        final = {**base, "status": status, "output": output, "usage": usage, **fields}
        add(f"response.{status}", response=final)
    return Stream(events, end)


def _message(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def function_call(name: str, arguments: Any, call_id: str = "call_1") -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": text,
        "status": "completed",
    }


# -- OpenAI: Chat Completions --------------------------------------------------------------------------------------


def chat(
    text: str = "",
    *calls: dict[str, Any],
    finish_reason: str | None = None,
    end: str = "end",
    **delta: Any,
) -> Stream:
    """Stream a completion with a text and calls, each made by `function_call`."""
    base = {"id": f"chatcmpl_{next(_ids)}", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test-1"}
    events: list[tuple[str, Any]] = []

    def add(change: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": change, "finish_reason": reason}
        events.append(("", {**base, "choices": [choice], "usage": None}))

    add({"role": "assistant", "content": "", **delta})
    for piece in _pieces(text):
        add({"content": piece})
    for index, call in enumerate(calls):
        head = {"name": call["name"], "arguments": ""}
        add({"tool_calls": [{"index": index, "id": call["call_id"], "type": "function", "function": head}]})
        for piece in _pieces(call["arguments"]):
            add({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if end == "end":
        add({}, finish_reason or ("tool_calls" if calls else "stop"))
        usage = {
            "prompt_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens": 5,
            "completion_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 15,
        }
        events.append(("", {**base, "choices": [], "usage": usage}))
        events.append(("", "[DONE]"))
    return Stream(events, end)


# -- A model for every protocol --------------------------------------------------------------------------------------


def weather_model(request: Request) -> Stream:
    """Answer as a model that asks its first tool for Rome, and then says that it is sunny there."""
    body = request.body
    turn = [message for message in body.get("messages", body.get("input", [])) if message.get("role") != "system"]
    answered = "tool_result" in json.dumps(turn[-1]) or turn[-1].get("role") == "tool" or "output" in turn[-1]
    tools = [tool.get("function", tool)["name"] for tool in body.get("tools", [])]
    name, arguments = (tools or [""])[0], {"city": "Rome"}
    calls = bool(tools) and not answered
    if request.path.endswith("/messages"):
        return anthropic("Wait.", tool_use(name, arguments)) if calls else anthropic("It is sunny in Rome.")
    call = function_call(name, arguments)
    if request.path.endswith("/responses"):
        return responses("Wait.", call) if calls else responses("It is sunny in Rome.")
    return chat("Wait.", call) if calls else chat("It is sunny in Rome.")
