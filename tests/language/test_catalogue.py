"""The catalogues say what the source says: no message without a translation where plans and reports are made, none of a
message that is no more, and places that match."""

from __future__ import annotations

import re
from string import Formatter

from hvctl.language.catalogue import FOLDER, catalogue, literals
from scripts.make_catalogues import KIND, catalogue_of, compiled, stands
from scripts.messages import extracted

FILES = sorted(FOLDER.glob("*/LC_MESSAGES/hvctl.po"))
PLANS_AND_REPORTS = """
core/acceptance core/apply core/contents core/draft core/drafts core/facts core/misreading core/renewal core/replan
core/resource core/rounds core/rows core/rules core/serial core/unmet
show/block show/columns show/diff show/markdown show/overview show/page show/remembered show/report show/standing show/state
show/summary show/text show/wording fleet/reconcile fleet/showing fleet/units cli/approval
""".split()
"""Modules of which every sentence has an entry."""
COMMONEST = """
kinds/vm kinds/_vm kinds/_power kinds/_owed kinds/_room kinds/disk kinds/_disk kinds/_disk_checks kinds/_disk_rules
kinds/_drives kinds/dvd kinds/processor kinds/memory kinds/network_adapter kinds/_adapter kinds/switch
kinds/_switch_steps kinds/_switch_rules kinds/firmware kinds/integration_services kinds/checkpoint kinds/_types kinds/_vlan
kinds/_preflight kinds/_runbook kinds/maintenance
kinds/role kinds/cluster kinds/_cluster kinds/replication kinds/replica_server kinds/nat kinds/_addressed kinds/_ip
kinds/guest_file kinds/host_file kinds/vhd kinds/security kinds/_guests kinds/_way_in kinds/_image kinds/export
config/wording config/playbook config/connection text/source text/width winrm/faults winrm/translation
doctor/clock doctor/judge_around doctor/judge_folder doctor/judge_host doctor/judge_hyper_v doctor/judge_logon
doctor/judge_port doctor/judge_shell doctor/judge_tls doctor/judge_way doctor/report doctor/wmi_v1
show/history show/metering show/bill metering/subtraction
""".split()
"""Modules of the commonest errors, remarks and steps: nine sentences of ten have one."""
NO_SENTENCE = re.compile(
    r"^(?:not bold.*|bold .*|dim .*|ide \d.*|scsi \d.*|title word says .*|ansible_.*|Value error, |\^.*|\(\^.*"
    r"|## hvctl .*|<details.*|.*\{\} bytes, sha256 .*|.* stands in no index|a Windows|no cmdlet"
    r"|(?:[A-Z]\w+-[A-Z]\w+|net|winrm|hvctl|w32tm|icacls|bcdedit|ulimit|Dism|setspn|timedatectl) .*"
    r"|not after .*|[A-Z]\w+(?: [A-Z]\w+)+)$"
)
"""Styles, patterns, names and what only stands within other sentences."""
PARTS = {
    "field differs", "fields differ", "thing is missing", "things are missing", "playbook changed", "by a changed playbook",
    "DVD drive", "--serial {}: {}", "never asked: {}", "{}, which {} held back", "{} of existing files",
    "{}, although its step succeeded.", "{} is not {}",
}  # fmt: skip
"""Words that are put into sentences which have entries, and sentences of faults of hvctl."""
INFLECTING = {
    "{} {} the network while it is recreated": frozenset({1}),
    "the play leaves out {}, which {} of {} too": frozenset({1}),
}
"""Places that only inflect, of which their expressions do not show it."""


def untranslated(modules: list[str]) -> tuple[list[str], int]:
    japanese, left, count = catalogue("ja"), [], 0
    for message in extracted():
        if message.file.removesuffix(".py") not in modules or not message.sentence or message.msgid in PARTS:
            continue
        if NO_SENTENCE.match(message.msgid):
            continue
        count += 1
        text = re.sub(r"(?<!\{)\{\}(?!\})", "7", message.msgid).replace("{{", "{").replace("}}", "}")
        if japanese.said(text) == text:
            left.append(f"{message.file}:{message.line}: {message.msgid}")
    return left, count


def test_every_sentence_of_plans_and_reports_has_an_entry() -> None:
    left, count = untranslated(PLANS_AND_REPORTS)
    assert not left, "\n".join(left)
    assert count > 150


def test_so_have_the_commonest_errors_and_steps() -> None:
    left, count = untranslated(COMMONEST)
    assert count > 400
    assert len(left) <= count // 10, "\n".join(left)


def test_an_entry_is_of_a_message_that_stands_in_the_source() -> None:
    assert FILES
    for path in FILES:
        gone = [m.id for m in catalogue_of(path) if m.id and not stands(str(m.id))]
        assert not gone, f"run python -m scripts.make_catalogues; of no message any more: {gone}"


def test_what_is_read_is_compiled_of_what_is_written() -> None:
    for path in FILES:
        assert path.with_suffix(".mo").read_bytes() == compiled(catalogue_of(path)), path


def test_places_match() -> None:
    """A translation has each place of its message, but for those that only inflect a word; and no other."""
    idle = {m.msgid: m.idle for m in extracted()}
    for path in FILES:
        for entry in catalogue_of(path):
            msgid, msgstr = str(entry.id), str(entry.string)
            if not msgid or msgid.startswith(KIND):
                continue
            assert msgstr, msgid
            places = set(range(len(literals(msgid)) - 1))
            found = {int(field) for _, field, _, _ in Formatter().parse(msgstr) if field is not None}
            specs = {spec for _, field, spec, _ in Formatter().parse(msgstr) if field is not None}
            assert found <= places, msgid
            assert specs <= {"", "t", "w", "l", "d", "n", "p"}, msgid
            if msgid in idle:
                assert places - found <= idle[msgid] | INFLECTING.get(msgid, frozenset()), (
                    entry.id,
                    entry.string,
                )
