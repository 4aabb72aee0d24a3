"""The same, asked of the language server that editors use."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import language_server

ROOT = Path(__file__).parent.parent.parent
TAGS = ["!env scalar", "!keyring scalar", "!command sequence", "!vault scalar"]


class LanguageServer:
    """As much of the protocol as an editor speaks when a file is opened."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen([program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send("initialize", {"processId": None, "rootUri": ROOT.as_uri(), "capabilities": {
            "workspace": {"configuration": True, "didChangeConfiguration": {}}}}, 1)  # fmt: skip
        next(m for m in self._read() if m.get("id") == 1)
        self._send("initialized", {})

    def diagnostics(self, file: Path, text: str) -> list[dict[str, Any]]:
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._send("textDocument/didOpen", {"textDocument": document})
        for message in self._read():
            if message.get("method") == "workspace/configuration":
                settings = [
                    {"validate": True, "customTags": TAGS} if i["section"] == "yaml" else {}
                    for i in message["params"]["items"]
                ]
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": settings})
            elif "id" in message and "method" in message:
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": None})
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == file.as_uri():
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found
        raise AssertionError("the language server went away")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _send(self, method: str, params: Any, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self._write(message if number is None else {**message, "id": number})

    def _write(self, message: Any) -> None:
        assert self.process.stdin is not None
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> Iterator[dict[str, Any]]:
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.split(b":")[1]) if header.lower().startswith(b"content-length") else 0
            while stream.readline().strip():
                pass
            yield json.loads(stream.read(length))


@pytest.fixture
def server() -> Iterator[LanguageServer]:
    found = LanguageServer(language_server())
    yield found
    found.end()


@pytest.mark.parametrize("file", sorted((ROOT / "playbooks").glob("**/*.yml")), ids=lambda f: f.name)
def test_it_has_nothing_against_an_example(file: Path, server: LanguageServer) -> None:
    assert [d["message"] for d in server.diagnostics(file, file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("processor: {count", "procesor: {count"),
        ("state: running", "state: runing"),
        ("iops: {minimum", "iops: {minimun"),
    ],
)
def test_it_marks_what_is_wrong(right: str, wrong: str, server: LanguageServer) -> None:
    file = ROOT / "playbooks" / "lab.yml"
    text = file.read_text(encoding="utf-8")
    assert right in text
    found = server.diagnostics(file, text.replace(right, wrong, 1))
    line = next(n for n, one in enumerate(text.splitlines()) if right in one)
    assert line in [d["range"]["start"]["line"] for d in found], found
