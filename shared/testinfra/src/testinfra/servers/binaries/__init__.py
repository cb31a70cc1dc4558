"""Find, fetch or build a program that a server or a fault needs: kube-apiserver, etcd, kubectl, toxiproxy, k6.

`locate` and `locate_all` are all there is to call. The first look for a program that the machine lacks takes minutes;
call it where somebody can be told so, before a server is leased with the time limit of a start.
"""

from testinfra.servers.binaries.catalogue import Catalogue, Program, packaged, parse
from testinfra.servers.binaries.finding import Binary
from testinfra.servers.binaries.progress import Bar, Lines, Reporter
from testinfra.servers.binaries.search import Sources, locate, locate_all

__all__ = [
    "Bar",
    "Binary",
    "Catalogue",
    "Lines",
    "Program",
    "Reporter",
    "Sources",
    "locate",
    "locate_all",
    "packaged",
    "parse",
]
