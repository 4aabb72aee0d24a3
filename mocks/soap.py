"""WS-Man messages as text: what a request asks, what is answered, what a fault looks like (winrm 2.2 to 2.4)."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape, unescape

from mocks.faults import Trouble
from mocks.shapes import Piece

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_NAMESPACES = (
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" '
    'xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" '
    f'xmlns:rsp="{SHELL}"'
)
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"

_ACTION = re.compile(rb"<(?:\w+:)?Action[^>]*>([^<]+)<")
_MESSAGE = re.compile(rb"<(?:\w+:)?MessageID[^>]*>([^<]+)<")
_SHELL_ID = re.compile(rb'<(?:\w+:)?Selector[^>]*Name="ShellId"[^>]*>([^<]+)<')
_TIMEOUT = re.compile(rb"<(?:\w+:)?OperationTimeout[^>]*>PT([0-9.]+)S<")
_COMMAND = re.compile(rb"<(?:\w+:)?Command(?:\s[^>]*)?>([^<]*)<")
_ARGUMENTS = re.compile(rb"<(?:\w+:)?Arguments[^>]*>([^<]*)<")
_STREAM = re.compile(rb"<(?:\w+:)?Stream([^>]*)>([^<]*)<")
_COMMAND_ID = re.compile(rb'CommandId="([^"]+)"')
_RELATES = re.compile(rb"RelatesTo>[^<]*<")
_GUID = re.compile(rb"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_SIGNAL = re.compile(rb"<(?:\w+:)?Code[^>]*>[^<]*/signal/(\w+)<", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What a client asks. `action`: the last word of it: Create, Command, Send, Receive, Signal, Delete, Get."""

    action: str
    message_id: str
    shell: str = ""
    command_id: str = ""
    timeout_s: float = 60.0
    command: str = ""
    arguments: tuple[str, ...] = ()
    data: bytes = b""
    end: bool = False
    signal: str = ""


def read(body: bytes) -> Request | None:
    """None for what is no WS-Man request."""
    action = _found(_ACTION, body)
    if not action:
        return None
    stream = _STREAM.search(body)
    command_id = _COMMAND_ID.search(body)
    return Request(
        action.rsplit("/", 1)[-1],
        _found(_MESSAGE, body),
        _found(_SHELL_ID, body).upper(),
        command_id[1].decode().upper() if command_id else "",
        float(_found(_TIMEOUT, body) or 60),
        unescape(_found(_COMMAND, body), {"&quot;": '"'}),
        tuple(unescape(a.decode(), {"&quot;": '"'}) for a in _ARGUMENTS.findall(body)),
        base64.b64decode(stream[2]) if stream else b"",
        bool(stream and b'End="true"' in stream[1]),
        _found(_SIGNAL, body).lower(),
    )


def _found(pattern: re.Pattern[bytes], body: bytes) -> str:
    match = pattern.search(body)
    return match[1].decode("utf-8") if match else ""


def answer(request: Request, body: str, action: str = "") -> bytes:
    base = _TRANSFER if request.action in ("Create", "Delete", "Get") else SHELL
    return _envelope(action or f"{base}/{request.action}Response", request.message_id, body)


def created(request: Request, shell: str, user: str) -> bytes:
    return answer(
        request,
        f"<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address><a:ReferenceParameters>"
        f'<w:ResourceURI>{SHELL}/cmd</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector>'
        f"</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell}</rsp:ShellId>"
        f"<rsp:ResourceUri>{SHELL}/cmd</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
        f"<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
        f"<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>",
    )


def received(request: Request, piece: Piece) -> bytes:
    """Output so far; with the exit code when the command has ended."""
    streams = "".join(
        f'<rsp:Stream Name="{name}" CommandId="{request.command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in piece.streams
    )
    if piece.done and piece.ends:
        streams += "".join(
            f'<rsp:Stream Name="{name}" CommandId="{request.command_id}" End="true"/>' for name in ("stdout", "stderr")
        )
    state = f'<rsp:CommandState CommandId="{request.command_id}" State="{SHELL}/CommandState/'
    code = f"<rsp:ExitCode>{piece.code}</rsp:ExitCode>" if piece.exit_code else ""
    state += f'Done">{code}</rsp:CommandState>' if piece.done else 'Running"/>'
    return answer(request, f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>")


@dataclass(frozen=True)
class Fault:
    """A SOAP fault. `wmi`: whether quota faults also carry an MSFT_WmiError (some versions do)."""

    code: int
    subcode: str = "w:InternalError"
    text: str = "The service cannot process the request."
    sender: bool = False
    wsman: bool = True
    wmi: bool = False


TIMED_OUT = Fault(
    2150858793,
    "w:TimedOut",
    "The service cannot complete the operation within the time specified in OperationTimeout.",
)
NO_SHELL = Fault(
    2150858843,
    "w:InvalidSelectors",
    "The request for the Windows Remote Shell with ShellId failed because the shell was not found on the server.",
    True,
)
DENIED = Fault(5, "w:AccessDenied", "Access is denied.", True)
OTHER_USER = Fault(2150859177, "w:AccessDenied", "The shell belongs to another user.", True)
NO_USERS_LEFT = Fault(
    2150859179, "w:QuotaLimit", "The maximum number of users executing shell operations has been exceeded.", wmi=True
)
NO_SHELLS_LEFT = Fault(
    2150859173, "w:QuotaLimit", "The maximum number of concurrent shells for this user has been exceeded.", wmi=True
)
NO_OPERATIONS_LEFT = Fault(
    2150859174, "w:QuotaLimit", "The maximum number of concurrent operations for this user has been exceeded.", wmi=True
)
TOO_LARGE = Fault(2150858825, "w:EncodingLimit", "The envelope is larger than the service takes.")


_QUOTAS = {2150859173, 2150859174, 2150859175, 2150859176, 2150859179, 2150858815, *range(2150859236, 2150859243)}
_JAPANESE = "WS-Management サービスはこの要求を処理できません。"


def told(trouble: Trouble) -> Fault:
    """The fault that a trouble answers with, in the encoding it asks for."""
    subcode = "w:TimedOut" if trouble.code == TIMED_OUT.code else (
        "w:QuotaLimit" if trouble.code in _QUOTAS else "w:InternalError")  # fmt: skip
    text = _JAPANESE if trouble.text == "ja" else trouble.text or Fault(0).text
    return Fault(trouble.code, subcode, text, wsman=trouble.encoding != "wmi", wmi=trouble.encoding != "wsman")


def fault(request: Request, what: Fault) -> bytes:
    wsman = (
        f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{what.code}" '
        f'Machine="host"><f:Message>{escape(what.text)}</f:Message></f:WSManFault>'
    )
    wmi = (
        '<e:MSFT_WmiError xmlns:e="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError">'
        f"<e:error_Code>{what.code}</e:error_Code></e:MSFT_WmiError>"
    )
    detail = (wsman if what.wsman else "") + (wmi if what.wmi else "")
    body = (
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if what.sender else 'Receiver'}</s:Value><s:Subcode>"
        f'<s:Value>{what.subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">'
        f"{escape(what.text)}</s:Text></s:Reason><s:Detail>{detail}</s:Detail></s:Fault>"
    )
    return _envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", request.message_id, body)


def odd(answered: bytes, trouble: Trouble) -> bytes:
    """An answer that is right, but not as another Windows would write it (winrm 6, group 12)."""
    match trouble.effect:
        case "relates_to":
            return _RELATES.sub(lambda m: b"RelatesTo>uuid:" + str(uuid.uuid4()).upper().encode() + b"<", answered)
        case "lower_case":
            return _GUID.sub(lambda m: m[0].lower(), answered)
        case "prefixes":
            for old, new in ((b"s:", b"env:"), (b"a:", b"wsa:"), (b"w:", b"wsman:"), (b"rsp:", b"shell:")):
                answered = re.sub(rb"(</?|xmlns:)" + old.removesuffix(b":") + rb"(?=[:=])",
                                  rb"\1" + new.removesuffix(b":"), answered)  # fmt: skip
            return answered
        case "activity_id":
            extra = f"<p:ActivityId>{str(uuid.uuid4()).upper()}</p:ActivityId></s:Header>"
            return answered.replace(b"</s:Header>", extra.encode())
        case "no_shell":
            return re.sub(rb"<rsp:Shell>.*</rsp:Shell>", b"", answered)
    return answered


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" {_NAMESPACES}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{relates_to}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
