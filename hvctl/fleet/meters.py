"""The meters of many hosts, read and reset: one batch for each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hvctl.call import Batch, Guard, Reply, Task, Transport, TransportError
from hvctl.contract import nearest
from hvctl.core.facts import Facts, UnreadableError, read_batch
from hvctl.fleet.run import Run
from hvctl.kinds._metering import QUESTIONS, OwnerOf, guarded, host_reading, reset_calls
from hvctl.metering import HostReading


def read_meters(
    run: Run, owners: Mapping[str, OwnerOf], names: Sequence[str] | None = None, *, keep: bool = False
) -> dict[str, HostReading | TransportError]:
    """Of every host, or of some, that a stop did not come before."""

    def read(host: str, transport: Transport) -> HostReading:
        batch = read_batch(QUESTIONS)
        replies = transport.run(batch)
        info = transport.info()
        os = nearest(info.build)
        if os is None:
            raise TransportError(
                f"{info.computer} runs a Windows of build {info.build}, older than Server 2012",
                hint="hvctl knows Windows Server 2012 and later",
            )
        try:
            return host_reading(host, Facts.of(os, info, batch, replies), owners[host])
        except UnreadableError as error:
            raise TransportError(str(error), hint=error.hint) from error

    return run.ask("reading meters", read, names, keep=keep)


@dataclass(frozen=True)
class Reset:
    """What became of a host's meters: how many VMs' were reset, and why others were not."""

    done: int = 0
    problems: tuple[str, ...] = ()


def reset_meters(run: Run, looks: Mapping[str, HostReading]) -> dict[str, Reset | TransportError]:
    """Of every VM that is metered, as it was just read."""

    def reset(host: str, transport: Transport) -> Reset:
        calls = reset_calls(looks[host].readings)
        tasks = tuple(
            Task(f"s{n}", call, guard=Guard(guarded(one), {"ResourceMeteringEnabled": True}, least=1, most=1))
            for n, (one, call) in enumerate(calls)
        )
        if not tasks:
            return Reset()
        replies = transport.run(Batch(tasks, "change"))
        failed = [(one, reply) for (one, _), reply in zip(calls, replies, strict=True) if not reply.ok]
        problems = tuple(f"the meters of {one.name} were not reset: {_why(reply)}" for one, reply in failed)
        return Reset(len(calls) - len(failed), problems)

    return run.ask("resetting meters", reset, looks, keep=True)


def _why(reply: Reply) -> str:
    return str(reply.failure) if reply.failure is not None else reply.skipped or "not done"
