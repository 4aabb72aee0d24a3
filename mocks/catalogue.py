"""Every fault of winrm 6 by name, in its sixteen groups, and a seventeenth of hostile answers: what strikes, and what is
otherwise about the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any

import yaml

from mocks.endpoint import Endpoint, Lockout
from mocks.failures import Failure, failure, is_cmdlet
from mocks.faults import Effect, Encoding, Phase, Trouble
from mocks.shells import Quotas

GROUPS = {
    1: "connecting", 2: "connections that break", 3: "connections that are not kept", 4: "delays", 5: "HTTP",
    6: "WS-Man faults", 7: "timeouts with and without the effect", 8: "shells that vanish", 9: "shape of the output",
    10: "noise in the output, ends of the process", 11: "input", 12: "headers", 13: "authentication", 14: "TLS",
    15: "quotas", 16: "the host", 17: "answers that no WinRM gives",
}  # fmt: skip

OFTEN = 10**9


@dataclass(frozen=True)
class Fault:
    """`settings`: a dotted path from the endpoint → its value. `failures`: cmdlets of the host that fail."""

    name: str
    group: int
    says: str
    troubles: tuple[Trouble, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


def one(
    name: str,
    group: int,
    says: str,
    action: str,
    effect: Effect,
    *,
    phase: Phase = "before",
    encoding: Encoding = "wsman",
    **more: Any,
) -> Fault:
    return Fault(name, group, says, (Trouble(action, effect, phase=phase, encoding=encoding, name=name, **more),))


def _connections() -> Iterator[Fault]:
    yield Fault("refuse", 1, "the listener is closed for a while", settings={"down_s": 0.3})
    yield one("connect-hang", 1, "accepts, then says nothing", "connect", "hang")
    yield one("connect-reset", 1, "accepts, then resets", "connect", "reset")
    yield one("backlog", 1, "its queue of connections is full", "connect", "backlog", seconds=0.3)
    for word in ("reset", "fin"):
        effect: Effect = "reset" if word == "reset" else "fin"
        yield one(f"{word}-early", 2, f"{word} at the first byte of a request", "read", effect, nth=3)
        yield one(f"{word}-headers", 2, f"{word} after the headers were read", "headers", effect, nth=3)
        yield one(f"{word}-before", 2, f"{word} before the request has its effect", "Send", effect)
        yield one(f"{word}-after", 2, f"{word} instead of the answer", "Send", effect, phase="after")
        middle: Effect = "mid_reset" if word == "reset" else "mid_fin"
        yield one(f"{word}-mid", 2, f"{word} in the middle of the answer", "Receive", middle, phase="after")
    yield one("close-each", 3, "every connection serves one request", "*", "close", phase="after", times=OFTEN)
    yield Fault("close-idle", 3, "a connection is closed after an idle moment", settings={"keep_alive_s": 0.02})
    yield one("close-race", 3, "closes while the next request is on its way", "read", "fin", nth=5)
    yield one("delay", 4, "answers late", "*", "delay", seconds=0.05, times=OFTEN)
    yield one("ramp", 4, "answers later and later", "Receive", "ramp", seconds=0.05, times=5)
    yield one("hang", 4, "does not answer within the read timeout", "Receive", "hang")
    yield one("hang-after", 4, "does what was asked and does not answer", "Receive", "hang", phase="after")
    yield one("slow-step", 4, "a step takes longer than the operation timeout", "invoke", "delay", seconds=0.7)
    yield one("drip", 4, "the answer comes in crumbs", "Receive", "drip", phase="after", seconds=0.01, times=OFTEN)


def _http() -> Iterator[Fault]:
    for code, body, says in (
        (400, "", "empty"), (403, "html", "forbidden"), (404, "html", "no such page"), (413, "", "too large"),
        (500, "", "empty"), (502, "html", "of a middlebox"), (503, "text", "the service is not ready"),
        (504, "html", "of a middlebox"), (301, "", "redirects elsewhere"),
    ):  # fmt: skip
        yield one(f"http-{code}", 5, f"HTTP {code}: {says}", "Receive", "http", code=code, text=body)
    yield one("http-500-html", 5, "HTTP 500 with a page", "Receive", "http", code=500, text="html")
    yield one("http-500-cp932", 5, "HTTP 500 with a page that is no UTF-8", "Receive", "http", code=500, text="cp932")
    yield one("http-401-once", 5, "401 in the middle of a session", "Receive", "http", code=401)
    yield one("http-401-always", 5, "401 whatever is asked", "*", "http", code=401, times=OFTEN)
    yield one("http-401-later", 5, "401 after eight requests, for ever", "*", "http", code=401, nth=9, times=OFTEN)
    yield one("http-200-empty", 5, "200 and no body", "Receive", "empty", phase="after")
    yield one("http-200-cut", 5, "200 and XML that ends too early", "Receive", "cut", phase="after")
    yield one("http-200-fault", 5, "a fault with status 200", "Receive", "fault_200", code=2150858843)
    yield one("http-200-page", 5, "200 and a page", "Receive", "garbage")
    yield one("content-type", 5, "an answer of the wrong content type", "Receive", "content_type", phase="after")


FAULTS = {
    "timed-out": 2150858793, "no-shell": 2150858843, "bad-parameter": 87, "not-found": 2147942402,
    "max-shells": 2150859173, "max-operations": 2150859174, "user-rate": 2150859175, "system-rate": 2150859176,
    "max-users": 2150859179, "plugin-first": 2150859236, "plugin-last": 2150859242, "quota": 2150858815,
    "denied": 5, "busy": 170, "not-taken": 1460, "other-token": 2150859177, "shells-disabled": 2150859180,
    "client-envelope": 2150858790, "server-envelope": 2150858825, "bad-header": 2150858767, "shell-closed": 2150859082,
    "command-closed": 2150859087, "command-ended": 2150859212,
}  # fmt: skip


def _faults() -> Iterator[Fault]:
    for name, code in FAULTS.items():
        yield one(f"fault-{name}", 6, f"fault {code}", "Receive", "fault", code=code)
    timed_out = FAULTS["timed-out"]
    yield one("silence", 7, "Receive has nothing, three times", "Receive", "fault", code=timed_out, times=3)
    yield one("timed-out-undone", 7, "TimedOut, and nothing was done", "Send", "fault", code=timed_out)
    yield one("timed-out-done", 7, "TimedOut, and it was done", "Send", "fault", code=timed_out, phase="after")
    yield one("send-busy", 7, "170: the previous input is still being taken", "Send", "fault", code=170)
    yield one("send-1460", 7, "1460: the input was not taken in time", "Send", "fault", code=1460)
    yield one("send-1460-done", 7, "1460, and the input was taken", "Send", "fault", code=1460, phase="after")
    yield one("shells-lost", 8, "all shells are gone", "Receive", "lose_shells")
    yield one("service-restart", 8, "WinRM restarts", "Receive", "service_restart", seconds=0.3)
    yield one("reboot", 8, "the host reboots", "Receive", "reboot", seconds=0.4, amount=2)


def _output() -> Iterator[Fault]:
    yield one("split", 9, "output cut anywhere, inside characters too", "Receive", "split", amount=611, times=OFTEN)
    yield one("streams", 9, "many tiny streams, stderr between them", "Receive", "streams", amount=7, times=OFTEN)
    yield one("stderr", 9, "text on stderr", "Receive", "stderr", text="ちょっと", times=OFTEN)
    yield one("done-apart", 9, "the end is told in an answer of its own", "Receive", "done_apart", times=OFTEN)
    yield one("no-exit-code", 9, "Done without an exit code", "Receive", "no_exit_code")
    yield one("no-ends", 9, "the ends of the streams are not told", "Receive", "no_ends", times=OFTEN)
    yield one("replay", 9, "the previous answer again", "Receive", "replay", nth=2)
    yield one("gap", 9, "an answer that lacks what it should hold", "Receive", "gap")
    yield one("nothing", 9, "answers that hold nothing", "Receive", "nothing", times=3)
    yield one("flood", 9, "two megabytes of somebody's text", "Receive", "flood", amount=2_000_000)
    for name, effect, says in (
        ("noise", "noise", "warnings in Japanese and CLIXML"), ("bom", "bom", "a byte order mark"),
        ("clixml", "clixml", "progress on stderr"), ("clixml-twice", "clixml_twice", "CLIXML in two documents, one cut"),
        ("warning", "warning", "warnings on stdout, one without a newline"), ("cp932", "cp932", "bytes in cp932"),
        ("plain-line", "plain_line", "a frame without its mark"), ("line-twice", "line_twice", "each frame twice"),
        ("lines-swapped", "lines_swapped", "the last two frames swapped"),
    ):  # fmt: skip
        yield one(name, 10, says, "Receive", effect, times=OFTEN)  # type: ignore[arg-type]
    for name, code in (("die-1", 1), ("die-ctrl-c", 0xC000013A), ("die-minus-1", -1)):
        yield one(name, 10, f"the process ends with {code} at the third change", "invoke", "die", code=code, nth=3)
    text = "Process is terminated due to StackOverflowException / OutOfMemoryException.\r\n"
    yield one(
        "die-memory", 10, "the process runs out of memory", "invoke", "die", code=1, nth=3, phase="after", text=text
    )
    yield one("send-twice", 11, "the input is delivered twice", "Send", "twice", times=OFTEN)
    yield one("send-lost", 11, "the input is lost, and said to be taken", "Send", "undelivered")
    yield one("send-truncated", 11, "the end of the input is lost", "Send", "truncated")
    yield one("end-lost", 11, "the end of input is not told", "Send", "end_lost", times=OFTEN)
    yield one("relates-to", 12, "RelatesTo names another message", "*", "relates_to", times=OFTEN)
    yield one("lower-case", 12, "ids in lower case", "*", "lower_case", times=OFTEN)
    yield one("prefixes", 12, "other namespace prefixes", "*", "prefixes", times=OFTEN)
    yield one("activity-id", 12, "an ActivityId in the header", "*", "activity_id", times=OFTEN)
    yield one("no-shell-element", 12, "the answer to Create has no Shell", "Create", "no_shell", times=OFTEN)


def _identity() -> Iterator[Fault]:
    yield Fault("negotiate-only", 13, "Basic is off", settings={"offers": ("Negotiate",)})
    yield Fault("wrong-password", 13, "the password is another", settings={"users": {"hvadmin": "another"}})
    yield one("401-later", 13, "authentication is asked for again", "*", "http", code=401, nth=4)
    yield Fault("encryption-required", 13, "nothing may go unsealed", settings={"plain": False})
    yield one("undecryptable", 13, "400 and a closed connection", "Send", "undecryptable")
    yield one("other-user", 13, "the shell is another user's", "Receive", "fault", code=2150859177)
    yield Fault("not-admin", 13, "the user is no administrator", settings={"admin": False})
    yield Fault(
        "lockout", 13, "the account is locked after two wrong passwords",
        settings={"users": {"hvadmin": "another"}, "lockout": Lockout(2, 1800)},
    )  # fmt: skip
    for flaw in ("self_signed", "expired", "wrong_name", "tls13_only"):
        yield Fault(flaw.replace("_", "-"), 14, flaw.replace("_", " "), settings={"flaw": flaw})
    yield one("handshake-reset", 14, "reset in the handshake", "handshake", "reset")
    yield one("handshake-always", 14, "reset in every handshake", "handshake", "reset", times=OFTEN)
    yield Fault("shells-full", 15, "others hold all shells", settings={"shells.quotas": Quotas(0)})
    yield Fault("operations-full", 15, "two commands are all", settings={"shells.quotas": Quotas(30, operations=2)})
    yield Fault("envelope-small", 15, "messages up to 60 KB", settings={"shells.quotas": Quotas(30, envelope_kb=60)})
    yield Fault("users-full", 15, "too many users have shells", settings={"shells.quotas": Quotas(30, users=0)})


def _host() -> Iterator[Fault]:
    said = "host.says"
    yield Fault("constrained", 16, "ConstrainedLanguage", settings={said: {"language_mode": "ConstrainedLanguage"}})
    yield Fault("powershell-4", 16, "PowerShell 4", settings={said: {"powershell": "4.0"}})
    yield Fault("module-missing", 16, "no Hyper-V module", settings={"host.state.hyper_v_installed": False})
    yield Fault("role-absent", 16, "the module without the service", settings={"host.state.vmms_running": False})
    held = {"user": "tanaka", "client": "tanaka@ws-042", "pid": 7, "since": "2026-04-01T00:00:05Z"}
    yield Fault("lock-held", 16, "another apply runs", settings={"disk.holder": held})
    yield Fault("journal-read-only", 16, "the journal cannot be written", settings={"disk.writable": False})
    yield one("job-outlives", 16, "the process ends, the job it began does not", "invoke Stop-VM", "die", code=1,
              phase="after")  # fmt: skip
    yield one("vmms-restart", 16, "the service of Hyper-V restarts", "invoke", "vmms_restart", nth=2, amount=20)
    call = yaml.safe_dump({"New-VM": {"Name": "web01", "Generation": 2, "NoVHD": True}})
    yield one("outsider", 16, "somebody makes the VM that is about to be made", "Send", "outsider", nth=2, text=call)


def _hostile() -> Iterator[Fault]:
    """Whoever took over a host, or stands between, answers like that."""
    yield one("redirect", 17, "redirects to another port, over http", "Receive", "redirect", code=307)
    yield one("redirect-self", 17, "redirects to itself", "Receive", "redirect", code=302, text="/wsman")
    yield one("redirect-nowhere", 17, "300 and no place", "Receive", "redirect", code=300, text=" ")
    yield one("endless-length", 17, "says 1 TB, and sends it", "Receive", "endless_body", code=1)
    for name, effect, says in (
        ("endless-body", "endless_body", "a body without an end"),
        ("endless-chunks", "endless_chunks", "chunks without an end"),
        ("endless-mark", "endless_mark", "the mark of a chunk without an end"),
        ("endless-header", "endless_header", "a header without an end"),
        ("endless-headers", "endless_headers", "headers without an end"),
        ("endless-continue", "endless_continue", "100 Continue without an end"),
        ("gzip-bomb", "gzip_bomb", "64 MB that come as 64 KB"),
        ("xml-entities", "xml_entities", "entities within entities"),
        ("xml-external", "xml_external", "an entity that is a file of the control node"),
        ("xml-deep", "xml_deep", "100,000 elements within each other"),
        ("xml-wide", "xml_wide", "an element with 100,000 attributes"),
        ("xml-many", "xml_many", "250,000 elements"),
    ):  # fmt: skip
        yield one(name, 17, says, "Receive", effect)  # type: ignore[arg-type]
    yield one("endless-line", 17, "a line of output without an end", "Receive", "endless_line", times=OFTEN)
    yield one("drip-head", 17, "the header in crumbs, without an end", "Receive", "drip_head", seconds=0.05)
    yield one("drip-body", 17, "the body a byte at a time", "Receive", "drip", phase="after", seconds=0.05,
              amount=OFTEN)  # fmt: skip
    yield one("drip-handshake", 17, "TLS's handshake a byte at a time", "handshake", "drip", seconds=0.05)


CATALOGUE: dict[str, Fault] = {
    fault.name: fault
    for fault in (*_connections(), *_http(), *_faults(), *_output(), *_identity(), *_host(), *_hostile())
}


def fault_named(text: str) -> Fault:
    """From NAME or NAME:key=value,…: what strikes, otherwise than usual; or a cmdlet that fails. Raises ValueError."""
    name, _, given = text.partition(":")
    if is_cmdlet(name):
        return Fault(name, 18, "a cmdlet that fails", failures=(failure(text),))
    if name not in CATALOGUE:
        raise ValueError(
            f"no fault {name!r} and no cmdlet of that name; `python -m mocks faults` lists what can go wrong"
        )
    fault = CATALOGUE[name]
    known = {f.name for f in fields(Trouble)} - {"name"}
    for item in filter(None, given.split(",")):
        key, _, value = item.partition("=")
        if fault.troubles and key in known:
            changed: dict[str, Any] = {key: str(value) if key in ("action", "text") else yaml.safe_load(value)}
            fault = replace(fault, troubles=tuple(replace(t, **changed) for t in fault.troubles))
        elif key in fault.settings:
            fault = replace(fault, settings={**fault.settings, key: yaml.safe_load(value)})
        else:
            can = sorted(known) if fault.troubles else sorted(fault.settings)
            raise ValueError(f"{name} has no {key!r}; it takes {', '.join(can)}")
    return fault


def arm(endpoint: Endpoint, faults: Iterable[Fault]) -> dict[str, Any]:
    """Before the endpoint is served. What its settings were, to `put` them back."""
    before: dict[str, Any] = {}
    for fault in faults:
        endpoint.faults.troubles += fault.troubles
        if fault.failures:
            endpoint.simulated.failures.random.seed(endpoint.seed)
            endpoint.simulated.failures.add(*fault.failures)
        for path, value in fault.settings.items():
            before[path] = put(endpoint, path, deepcopy(value))
    return before


def put(endpoint: Endpoint, path: str, value: Any) -> Any:
    """Set what a dotted path names; its value before."""
    *way, last = path.split(".")
    thing: Any = endpoint
    for word in way:
        thing = getattr(thing, word)
    before = getattr(thing, last)
    setattr(thing, last, value)
    return before
