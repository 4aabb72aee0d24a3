"""The variables of hosts that hvctl reads, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from hvctl.config.connection import NAMES
from hvctl.config.wiring import OPTIONS


@dataclass(frozen=True)
class Variable:
    """`kind`: what is written for it: text, port, os, transport, mapping, or words with bars between. Those of the wiring
    have types."""

    means: str
    kind: str = "text"
    example: Any = None
    secret: bool = False


_PASSWORD = Variable("the password: a secret by reference (!env, !keyring, !command, !vault)", secret=True)
VARIABLES: Mapping[str, Variable] = {
    "ansible_connection": Variable("hvctl connects over winrm", "winrm", "winrm"),
    "ansible_host": Variable("name or address to connect to; else the name of the host", example="10.0.0.11"),
    "ansible_winrm_host": Variable("the same, and wins", example="10.0.0.11"),
    "ansible_port": Variable("the port: 5986, or 5985 with http", "port", 5986),
    "ansible_winrm_port": Variable("the same, and wins", "port", 5986),
    "ansible_user": Variable("the account", example="hvadmin"),
    "ansible_winrm_user": Variable("the same, and wins", example="hvadmin"),
    **dict.fromkeys(("ansible_password", "ansible_winrm_password", "ansible_winrm_pass"), _PASSWORD),
    "ansible_winrm_transport": Variable("how to log on; of several the first that can be had", "transport", "ntlm"),
    "ansible_winrm_scheme": Variable("https, or http if the port is 5985", "https|http", "https"),
    "ansible_winrm_path": Variable("the path of the listener: /wsman", example="/wsman"),
    "ansible_winrm_server_cert_validation": Variable(
        "whether the certificate of the host is checked", "validate|ignore", "validate"
    ),
    "ansible_winrm_ca_trust_path": Variable("the PEM file of the CA to trust", example="/etc/ssl/corp-ca.pem"),
    "ansible_winrm_cert_pem": Variable("the certificate to log on with", example="client.pem"),
    "ansible_winrm_cert_key_pem": Variable("its key", example="client-key.pem"),
    "hvctl_os": Variable("the version of Windows Server, so that `validate` checks against it", "os", "2022"),
    "hvctl_worker": Variable("the worker that reads the host, with `--executor dask`", example="site-a"),
    "hvctl_owner": Variable("whom the VMs of the host are billed to", example="sales"),
    "hvctl_cluster": Variable("the cluster that the hosts of the group are nodes of", example="hvcl01"),
    "hvctl_replica_broker": Variable(
        "the full name of the Hyper-V Replica Broker of the cluster that they are nodes of", example="hvr01.example.com"
    ),
    "hvctl_vm_owners": Variable("whom VMs are billed to, by their names", "mapping", {"web01": "sales"}),
    "ansible_winrm_kerberos_delegation": Variable("whether the ticket may be passed on to a third machine"),
    "ansible_winrm_kerberos_hostname_override": Variable("the name that the ticket is for", example="hv01.example.com"),
    "ansible_winrm_service": Variable("the service that the ticket is for: HTTP", example="HTTP"),
    "ansible_winrm_send_cbt": Variable("whether the login is bound to the TLS connection"),
    "ansible_winrm_message_encryption": Variable("whether messages are encrypted; auto: over http"),
    "ansible_winrm_credssp_disable_tlsv1_2": Variable("whether CredSSP may use older versions of TLS"),
    "ansible_winrm_credssp_auth_mechanism": Variable("how CredSSP makes sure of the host"),
    "ansible_winrm_credssp_minimum_version": Variable("the oldest CredSSP that is taken"),
    "ansible_winrm_connection_timeout": Variable("sets both timeouts below"),
    "ansible_winrm_operation_timeout_sec": Variable("how long an operation of the host may take"),
    "ansible_winrm_read_timeout_sec": Variable("how long its answer is waited for"),
    "hvctl_response_limit": Variable("how large one HTTP answer of the host may be"),
    "hvctl_line_limit": Variable("how large one line may be that PowerShell writes there"),
    "hvctl_output_limit": Variable("how much one batch may answer"),
    "hvctl_row_limit": Variable("how many objects one batch may answer"),
    "hvctl_request_timeout": Variable("how long one request may take"),
}
OTHERS = tuple(name for name in NAMES if name not in VARIABLES)
"""Taken without an effect, or refused with a reason: no typing errors."""


def model_of(name: str) -> FieldInfo | None:
    """Of one whose values a model checks."""
    return OPTIONS.get(name)
