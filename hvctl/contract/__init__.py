"""What each Windows Server version accepts: cmdlets, parameters and values, and the judgement of a call."""

from hvctl.contract.arrival import elsewhere, exists_from
from hvctl.contract.binding import Bound, BoundValue, bind
from hvctl.contract.facts import Answer, Class, Cmdlet, Enum, Parameter
from hvctl.contract.objects import HostObject
from hvctl.contract.reading import Contract, contract
from hvctl.contract.refusals import BindError
from hvctl.contract.verdict import Verdict, check
from hvctl.contract.versions import OS, VERSIONS, at_least, nearest, os_of_build, title

__all__ = [
    "OS",
    "VERSIONS",
    "Answer",
    "BindError",
    "Bound",
    "BoundValue",
    "Class",
    "Cmdlet",
    "Contract",
    "Enum",
    "HostObject",
    "Parameter",
    "Verdict",
    "at_least",
    "bind",
    "check",
    "contract",
    "elsewhere",
    "exists_from",
    "nearest",
    "os_of_build",
    "title",
]
