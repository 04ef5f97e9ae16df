"""A pytest plugin that keeps a suite on this machine: `*.oss.test` is 127.0.0.1, and every other name that is
not loopback is refused before anything asks a resolver for it. Addresses are let through only if they are loopback.
"""

import ipaddress
import socket

SUFFIX = "oss.test"
LOCAL = {"", "localhost"}

_getaddrinfo = socket.getaddrinfo
_gethostbyname = socket.gethostbyname
_connect = socket.socket.connect


def loopback(host):
    """What to look up in the place of `host`; an error of the resolver's kind if it would leave the machine."""
    name = host.decode() if isinstance(host, bytes) else host or ""
    name = name.rstrip(".").lower()
    if name in LOCAL or name.endswith(".localhost") or is_loopback(name):
        return "127.0.0.1" if name.endswith(".localhost") else host
    if name == SUFFIX or name.endswith("." + SUFFIX):
        return "127.0.0.1"
    raise socket.gaierror(socket.EAI_NONAME, f"the conformance run stays on this machine; refused: {name}")


def is_loopback(address):
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        address = (loopback(address[0]), *address[1:])
    return _connect(self, address)


def pytest_configure(config):
    socket.getaddrinfo = lambda host, *rest, **named: _getaddrinfo(loopback(host), *rest, **named)
    socket.gethostbyname = lambda host: _gethostbyname(loopback(host))
    socket.socket.connect = connect
