"""Three workers of dask on loopback, over TLS: what they read, what reaches the scheduler, and what goes wrong."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hvctl.text.looks import texts
from mocks.faults import Trouble
from mocks.host import SimulatedHost
from mocks.tls import Authority, make_authority
from mocks.wsman import Endpoint, Server
from tests import requirements
from tests.elsewhere.cluster import ROOT, Cluster, running, until
from tests.inventory.sealing import sealed

pytestmark = pytest.mark.xdist_group("dask")

STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "running", "processor": {"count": 2}}]}
PLAYBOOK = "- hosts: all\n  vms: [{name: web01, processor: {count: 2}}]\n"
BY_ENV, BY_COMMAND, BY_VAULT, IN_PLAIN = "eNv7Zr4kXw9fQs", "cMd5mB2vNc8dLt", "vLt3Wr0ngKx1Rb", "pLn6hL9sQe4jYu"
VAULT, TOKEN, EXTRA, ASKED = "vPw2Tg7cHs8kMn", "tKn9Xv2pTg7cZq", "xTr4dR8yWm3sKp", "aSk1Fv5gBh6jUi"
PLANTED = (BY_ENV, BY_COMMAND, BY_VAULT, IN_PLAIN, VAULT, TOKEN, EXTRA)


@dataclass
class Lab:
    """A folder with an inventory of simulated hosts over the real wire, and the cluster that reads them."""

    folder: Path
    authority: Authority
    endpoints: Mapping[str, Endpoint]
    cluster: Cluster

    def inventory(self, passwords: Mapping[str, str] | None = None) -> None:
        """`passwords`: as the inventory has them, by host."""
        lines = ["all:", "  hosts:"]
        for name, one in self.endpoints.items():
            lines += [f"    {name}:", "      ansible_host: 127.0.0.1", f"      ansible_port: {one.port}"]
            lines += [f"      ansible_user: {next(iter(one.users))}"]
            lines += [f"      ansible_password: {(passwords or {}).get(name, '!env HV_PASSWORD')}"]
        lines += ["  vars:", "    ansible_winrm_transport: ntlm"]
        lines += [f"    ansible_winrm_ca_trust_path: '{self.authority.ca}'"]
        (self.folder / "inventory.yml").write_text("\n".join(lines) + "\n")

    def begun(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The control node: without the passwords of the hosts."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("HVCTL_", "HV_"))}
        own |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "XDG_STATE_HOME": str(self.folder / "state"), **(env or {})}
        return subprocess.Popen(
            [sys.executable, "-m", "hvctl", *self.cluster.options, *words],
            cwd=self.folder, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def hvctl(self, *words: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        return ended(self.begun(*words, env=env))


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status, and all that was said, in one line."""
    out, err = process.communicate(timeout=120)
    return process.returncode, " ".join((out + err).split())


@contextmanager
def lab(
    folder: Path,
    hosts: Sequence[str],
    troubles: Mapping[str, Sequence[Trouble]] | None = None,
    passwords: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    paths: Mapping[str, Path] | None = None,
) -> Iterator[Lab]:
    """`passwords`: of the hosts' accounts, where it is not that in the workers' environment."""
    requirements.dask()
    authority = make_authority(folder / "tls")
    endpoints = {
        name: Endpoint(
            SimulatedHost.from_yaml(STATE),
            {f"u-{name}": (passwords or {}).get(name, BY_ENV)},
            scheme="https",
            troubles=(troubles or {}).get(name, ()),
        )
        for name in hosts
    }
    own = {k: v for k, v in os.environ.items() if not k.startswith(("HVCTL_", "HV_"))}
    cluster = Cluster(folder / "cluster", authority, {**own, "HV_PASSWORD": BY_ENV, **(env or {})})
    with ExitStack() as stack:
        stack.enter_context(Server(list(endpoints.values()), authority))
        stack.enter_context(running(cluster, paths=paths or {}))
        made = Lab(folder, authority, endpoints, cluster)
        made.inventory()
        (folder / "lab.yml").write_text(PLAYBOOK)
        yield made


def forms(secret: str) -> Iterator[bytes]:
    """As it is, as JSON, URLs and dumps write it, in UTF-16, in base64 at each of its three places."""
    for text in {secret, *texts(secret)}:
        for data in (text.encode(), text.encode("utf-16-le")):
            yield data
            yield data.hex().encode()
            for lead in range(3):
                yield base64.b64encode(b"x" * lead + data)[4:-4]


def found_in(record: bytes, secrets: Sequence[str]) -> list[str]:
    return [secret for secret in secrets if any(form in record for form in forms(secret))]


def test_secrets_never_reach_the_scheduler(tmp_path: Path) -> None:
    vault_file, command = tmp_path / "vault.txt", tmp_path / "get-password"
    vault_file.write_text(VAULT)
    command.write_text(f"#!/bin/sh\necho {BY_COMMAND}\n")
    command.chmod(0o700)
    hosts = {"by-env": BY_ENV, "by-command": BY_COMMAND, "by-vault": BY_VAULT, "in-plain": IN_PLAIN}
    with lab(tmp_path, list(hosts), passwords=hosts, env={"HVCTL_VAULT_PASSWORD_FILE": str(vault_file)}) as made:
        envelope = sealed(BY_VAULT, VAULT).replace("\n", "\n        ")
        made.inventory(
            {
                "by-command": f"!command ['{command}']",
                "by-vault": f"!vault |\n        {envelope}",
                "in-plain": IN_PLAIN,
            }
        )
        (tmp_path / "token.j2").write_text("token={{ token }} {{ extra }}\n")
        (tmp_path / "seed.j2").write_text("#cloud-config\npassword: {{ token }}\n")
        (tmp_path / "lab.yml").write_text(
            "- hosts: all\n"
            "  vars: {token: !env HV_TOKEN}\n"
            "  vms:\n"
            "    - name: web01\n"
            "      processor: {count: 2}\n"
            "      guest_files: [{template: token.j2, destination: 'C:\\token.txt'}]\n"
            "    - name: new01\n"
            "      generation: 2\n"
            "      cloud_init: {user_data: seed.j2, path: 'D:\\seed.iso'}\n"
        )
        words = ("--vault-password-file", str(vault_file), "drift", "lab.yml", "-e", f"extra={EXTRA}", "--no-history")
        status, said = made.hvctl(*words, env={"HV_TOKEN": TOKEN})
        assert status == 6, said  # what differs, and the host whose password stands in plain
        told = "the password of in-plain is known only here, and no secret is sent to a scheduler"
        assert said.count(told) == 1
        assert "3 drifted" in said or "3 differ" in said, said
        record = made.cluster.record
        assert found_in(record, PLANTED) == []
        # What is not secret is there in plain, so that a secret would be seen.
        assert b"by-command" in record
        assert b"in-plain" not in record
        assert b"Get-VM" in record
        assert b"Windows Server 2022" in record, "the answers"

        status, said = made.hvctl(
            "plan", "lab.yml", "--limit", "by-env", "-e", "token=web01", env={"HV_TOKEN": "web01"}
        )
        assert found_in(made.cluster.record, PLANTED) == []


def test_what_is_sent_by_mistake_would_be_seen(tmp_path: Path) -> None:
    """The recorder of the test above finds a secret that a task has among its arguments."""
    with lab(tmp_path, ["hv0"]) as made:
        from distributed import Client, Security  # noqa: PLC0415

        own = str(made.authority.server)
        safe = Security(  # type: ignore[no-untyped-call,unused-ignore]
            tls_ca_file=str(made.authority.ca), tls_client_cert=own, tls_client_key=own, require_encryption=True
        )
        with Client(made.cluster.address, security=safe, set_as_default=False) as client:  # type: ignore[no-untyped-call,unused-ignore]
            assert client.submit(str.upper, TOKEN, pure=False).result() == TOKEN.upper()
        assert found_in(made.cluster.record, PLANTED) == [TOKEN]


def test_the_reading_verbs_and_those_that_change(tmp_path: Path) -> None:
    with lab(tmp_path, ["hv0", "hv1"]) as made:
        status, said = made.hvctl("drift", "lab.yml", "--all")
        assert (status, "2 hosts: 2 in sync." in said) == (0, True), said
        status, said = made.hvctl("plan", "lab.yml", "--out", "lab.plan")
        assert (status, "Plan saved" in said) == (0, True), said
        with (tmp_path / "inventory.yml").open("a") as file:
            file.write("    hvctl_worker: \"{{ {'hv0': 'site-b', 'hv1': 'site-x'}[inventory_hostname] }}\"\n")
        status, said = made.hvctl("drift", "lab.yml", "--all", "--no-history")
        assert (status, "2 hosts: 1 in sync, 1 unreachable." in said) == (4, True), said
        assert "has no worker site-x, which hvctl_worker names" in said
        made.inventory()
        status, said = made.hvctl("facts", "hv0")
        assert (status, "Get-VMProcessor" in said) == (0, True), said
        status, said = made.hvctl("record", "hv0", "-o", "hv0.json")
        assert (status, (tmp_path / "hv0.json").stat().st_size > 1000) == (0, True), said
        status, said = made.hvctl("import", "hv1")
        assert (status, "name: web01" in said) == (0, True), said
        status, said = made.hvctl("metering")
        assert (status, "web01" in said) == (0, True), said
        status, said = made.hvctl("doctor", "all")
        assert (status, "2 can be worked on" in said) == (0, True), said
        for words in (
            ["apply", "lab.yml", "-y"],
            ["apply", "lab.plan", "-y"],
            ["export", "web01"],
            ["metering", "--reset"],
        ):
            status, said = made.hvctl(*words)
            assert (status, "a change must be made at most once" in said) == (1, True), said
        # Nothing was begun on this machine: its own environment has no password.
        assert all(one.simulated.state.vms[0].processor.count == 2 for one in made.endpoints.values())


def test_hosts_of_a_worker_that_is_killed_are_read_again_and_told(tmp_path: Path) -> None:
    hosts = [f"hv{n}" for n in range(9)]
    late = dict.fromkeys(hosts, (Trouble("Create", "delay", seconds=5),))
    with lab(tmp_path, hosts, late) as made:
        run = made.begun("drift", "lab.yml", "--all")
        until(lambda: all(one.auth_requests for one in made.endpoints.values()), "not all hosts are asked")
        made.cluster.kill("site-a")
        status, said = ended(run)
        assert status == 0, said
        assert "9 hosts: 9 in sync." in said
        assert "; worker site-a, which was reading it, is gone" in said
        assert said.count("read again by worker site-") == 3


def test_where_the_scheduler_is_lost_what_came_in_is_kept(tmp_path: Path) -> None:
    late = dict.fromkeys(("late0", "late1"), (Trouble("Create", "delay", seconds=30),))
    with lab(tmp_path, ["hv0", "hv1", "late0", "late1"], late) as made:
        run = made.begun("drift", "lab.yml", "--all")

        def came_in() -> int:
            """Hosts whose answers are on this machine's disk already."""
            return sum(len(file.read_text().splitlines()) - 1 for file in (tmp_path / "state").rglob("check-*.jsonl"))

        until(lambda: came_in() == 2, "two hosts are not read")
        made.cluster.kill("scheduler")
        status, said = ended(run)
        assert status == 4, said
        assert "Traceback" not in said
        assert "4 hosts: 2 in sync, 2 unreachable" in said
        for name in late:
            assert f"{name} unreachable: the scheduler {made.cluster.address} was lost" in said
        own = {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        told = subprocess.run(
            [sys.executable, "-m", "hvctl", "history", "--all"], env=os.environ | own, cwd=tmp_path, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip
        names = re.findall(r"^(?:hv|late)[0-9]", told.stdout, re.MULTILINE)
        assert names == ["hv0", "hv1"], "a scheduler that is lost says nothing about a host"
        status, said = made.hvctl("drift", "lab.yml")
        assert (status, f"the scheduler {made.cluster.address} is not reached" in said) == (1, True), said


def test_other_versions_are_refused_before_a_host_is_asked(tmp_path: Path) -> None:
    other = tmp_path / "other" / "hvctl-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: hvctl\nVersion: 9.9\n")
    with lab(tmp_path, ["hv0"], paths={"site-b": other.parent}) as made:
        status, said = made.hvctl("drift", "lab.yml")
        assert status == 1, said
        assert "has hvctl 9.9 instead of 0.1.0" in said
        assert "install the same versions everywhere" in said
        assert not made.endpoints["hv0"].auth_requests
