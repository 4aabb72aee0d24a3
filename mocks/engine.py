"""The real runner.ps1 in a real PowerShell, over proxy cmdlets that call the simulated host."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.staging import Staging, with_files
from mocks.engine_values import Handles
from mocks.objects import Job, Outcome, Refusal
from mocks.refs import HOME
from mocks.run import Host
from mocks.staging import TEXT, text_of
from mocks.vhdx import parsed

PROXY = Path(__file__).parent / "proxy"
LanguageMode = Literal["FullLanguage", "ConstrainedLanguage"]


def find_engine() -> Path | None:
    """HVCTL_PWSH, which must work then, else pwsh on PATH."""
    named = os.environ.get("HVCTL_PWSH")
    if named:
        return Path(named)
    found = shutil.which("pwsh")
    return Path(found) if found else None


class Engine:
    """One PowerShell process; it serves whatever host is bound to it, one batch at a time.

    `description`: modules, enums and classes (mocks.engine_spec). `extra`: more modules, as files. `arguments`: what it
    runs instead of the runner's bootstrap.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        allow: Mapping[str, str],
        *,
        language_mode: LanguageMode = "FullLanguage",
        extra: Sequence[Path] = (),
        program: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        program = program or find_engine()
        if program is None:
            raise FileNotFoundError("no PowerShell: set HVCTL_PWSH, or put pwsh on PATH")
        self.allow = dict(allow)
        self.host: Host | None = None
        self.handles = Handles()
        self.folder = Path(tempfile.mkdtemp(prefix="hvctl-engine-"))
        self.program_data = self.folder / "ProgramData"
        self.program_data.mkdir()
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self.fault: BaseException | None = None
        modules = _write_modules(self.folder, description, extra)
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        arguments = arguments or ("-EncodedCommand", protocol.bootstrap())
        command = [str(program), "-NoLogo", "-NoProfile", "-NonInteractive", *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(modules, language_mode),
        )
        self._errors: list[bytes] = []
        assert self.process.stderr is not None
        threading.Thread(target=self._errors.extend, args=(self.process.stderr,), daemon=True).start()

    def _environment(self, modules: Sequence[Path], language_mode: str) -> dict[str, str]:
        return {
            **os.environ,
            "ProgramData": str(self.program_data),
            "PSModulePath": str(self.folder / "modules"),
            "PSHOST_MODULES": ":".join(map(str, modules)),
            "PSHOST_LANGUAGE_MODE": language_mode,
            "HVCTL_ENGINE_PORT": str(self._listener.getsockname()[1]),
            "HVCTL_ENGINE_SPEC": str(self.folder / "spec.json"),
        }

    def bind(self, host: Host) -> None:
        """From now on the cmdlets act on this host."""
        if host is not self.host:
            self.host = host
            self.handles.clear()
            self._jobs.clear()

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def end(self) -> None:
        """No more input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def read(self) -> Iterator[bytes]:
        """What it writes, as it comes, to the end of the process."""
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            yield data

    @property
    def errors(self) -> str:
        return b"".join(self._errors).decode("utf-8", "replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what the proxies ask ---------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rw", encoding="utf-8", newline="\n") as stream:
            try:
                for line in stream:
                    stream.write(json.dumps(self._answer(json.loads(line))) + "\n")
                    stream.flush()
            except (ConnectionError, ValueError, OSError):
                return
            except Exception as error:
                self.fault = error
                raise

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self.host is not None
        match request["do"]:
            case "hello":
                self.handles.clear()  # the engine forgets its objects then
                return dict(self.host.hello())
            case "sleep":
                self.host.clock.sleep(request["seconds"])
                return {"jobs": self._job_states()}
            case "part":
                return {"part": self.handles.part(request["of"], request["name"])}
            case "assign":
                return self._assign(self.host, request)
        return self._call(self.host, request)

    def _assign(self, host: Host, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            host.assign(
                self.handles.from_wire({"h": request["of"]}), request["name"], self.handles.from_wire(request["value"])
            )
        except Refusal as refusal:
            return self.handles.outcome(Outcome(errors=[refusal.record]))
        return self.handles.outcome(Outcome())

    def _call(self, host: Host, request: Mapping[str, Any]) -> dict[str, Any]:
        bound = {name: self._on_host(self.handles.from_wire(value)) for name, value in request["bound"]}
        mirrored = self._mirror(
            host, [v for value in bound.values() for v in (value if isinstance(value, list) else [value])]
        )
        action: Literal["Stop", "Continue"] = "Stop" if request["action"] == "Stop" else "Continue"
        try:
            execute = getattr(host, "execute", None)
            outcome: Outcome = (
                execute(request["cmdlet"], request["set"], bound, action)
                if execute
                else host.invoke(request["cmdlet"], bound, action)
            )
        except Refusal as refusal:
            outcome = Outcome(errors=[refusal.record])
        if outcome.job is None:
            for path in mirrored:
                host.forget(path)  # type: ignore[attr-defined]
            host.clock.sleep(outcome.took)
            return self.handles.outcome(outcome)
        number = next(self._numbers)
        self._jobs[number] = outcome.job
        return {"job": number, "name": outcome.job.name, "jobs": self._job_states()}

    def _on_host(self, value: Any) -> Any:
        """The engine's own ProgramData is the simulated host's."""
        if isinstance(value, list):
            return [self._on_host(v) for v in value]
        if isinstance(value, str) and value.startswith(home := f"{self.program_data}/hvctl"):
            return HOME + value.removeprefix(home).replace("/", "\\")
        return value

    def _mirror(self, host: Host, values: Iterable[Any]) -> list[str]:
        """What the runner staged itself lies on the engine's disk; the host's cmdlets see it there. Its paths."""
        keep, found = getattr(host, "keep", None), []
        for value in values:
            if keep is None or not isinstance(value, str) or not value.startswith(f"{HOME}\\staging\\"):
                continue
            file = self.program_data / "hvctl" / value.removeprefix(f"{HOME}\\").replace("\\", "/")
            if file.is_file():
                data = file.read_bytes()
                text = text_of(data) if len(data) <= TEXT else None
                disk = parsed(value, io.BytesIO(data), len(data))
                keep(value, len(data), hashlib.sha256(data).hexdigest(), text, disk)
                found.append(value)
        return found

    def _job_states(self) -> list[dict[str, Any]]:
        assert self.host is not None
        now = self.host.clock.now()
        states = []
        for number, job in list(self._jobs.items()):
            state: dict[str, Any] = {"id": number, "name": job.name, "percent": job.percent(now)}
            if now - job.started >= job.duration:
                del self._jobs[number]
                state |= {"done": True, **self.handles.outcome(job.finish())}
            states.append(state)
        return states


def _write_modules(folder: Path, description: Mapping[str, Any], extra: Sequence[Path]) -> list[Path]:
    (folder / "spec.json").write_text(json.dumps(description), "utf-8")
    modules = folder / "modules"
    modules.mkdir()
    engine = modules / "HvctlEngine.psm1"
    shutil.copy(PROXY / "HvctlEngine.psm1", engine)
    template = (PROXY / "Module.psm1").read_text("utf-8")
    made = [engine]
    for name in description["modules"]:
        (modules / name).mkdir()
        made.append(modules / name / f"{name}.psm1")
        made[-1].write_text(template.replace("@NAME@", name), "utf-8")
    for path in extra:
        (modules / path.stem).mkdir()
        made.append(Path(shutil.copy(path, modules / path.stem)))
    return made


class EngineTransport:
    """A Transport to a simulated host by way of an engine, which it shares with others, one after another."""

    def __init__(self, engine: Engine, host: Host) -> None:
        self.engine = engine
        self.host = host
        self._output = engine.read()
        self._info: HostInfo | None = None
        self._running: str | None = None

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        def bring(staging: Staging) -> None:
            self.info()
            self.talk(protocol.Decoder(Batch(()), "files"), protocol.staging_line(self.engine.allow), hello=True)
            staging.push(self)

        return with_files(
            batch, on_event, bring, lambda b: self._run(b, on_event), lambda staging: staging.remove(self)
        )

    def talk(self, decoder: protocol.Decoder, line: bytes, *, hello: bool = False) -> None:
        self.engine.send(line)
        self.receive(decoder, lambda: decoder.hello is not None if hello else decoder.ended)

    def send(self, line: bytes) -> None:
        self.engine.send(line)

    def receive(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        for data in self._output:
            decoder.feed(data)
            if until() or decoder.refusal is not None:
                return

    def _run(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        self.info()
        self.engine.bind(self.host)
        batch_id = os.urandom(8).hex()
        decoder = protocol.Decoder(batch, batch_id)
        try:
            line = protocol.encode_batch(batch, batch_id)
        except protocol.LineTooLongError as error:
            raise TransportError(str(error), executed="no") from error
        self._running = batch_id
        try:
            self.engine.send(line)
            for data in self._output:
                for event in decoder.feed(data):
                    on_event(event)
                if decoder.ended or decoder.refusal is not None:
                    break
        except BrokenPipeError:
            pass
        self._running = None
        if self.engine.fault is not None:
            raise self.engine.fault
        return decoder.finish()

    def info(self) -> HostInfo:
        if self._info is None:
            self.engine.bind(self.host)
            decoder = protocol.Decoder(Batch(()), "hello")
            self.engine.send(protocol.source_line(self.engine.allow))
            for data in self._output:
                decoder.feed(data)
                if decoder.hello is not None or decoder.refusal is not None:
                    break
            if decoder.info is None:
                raise TransportError(f"the runner did not start: {decoder.refusal or self.engine.errors}")
            self._info = decoder.info
        return self._info

    @property
    def requests(self) -> int:
        return 0

    def stop(self) -> None:
        if self._running is not None:
            stop = self.engine.program_data / "hvctl" / f"{self._running}.stop"
            stop.parent.mkdir(exist_ok=True)
            stop.touch()

    def close(self) -> None:
        return None
