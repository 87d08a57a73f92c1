"""Where the server listens, and the addresses that people open."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket

from densecap.errors import UserError

_EVERYWHERE = ("0.0.0.0", "::", "")


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at a host and port (0: any that is free). Errors: UserError when it cannot be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"port is a number from 0 to 65535, got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise UserError(
            f"host={host} is no address of this machine: give 127.0.0.1, 0.0.0.0 for all, or a name"
        ) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise UserError(_why(host, port, error)) from None
    listening.set_inheritable(False)
    return listening


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use already: stop what listens there, or give another, as in port={port % 65535 + 1}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by you: give one above 1023, as in port=8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host={host} is no address of this machine: give 127.0.0.1, 0.0.0.0 for all, or one that it has"
    return f"cannot listen at {host}:{port}: {error.strerror}"


def is_local(host: str) -> bool:
    """Whether only this machine reaches a server at this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def shown_addresses(host: str, port: int, scheme: str) -> list[str]:
    """The addresses to open, the one for this machine first."""
    hosts = [host]
    if host in _EVERYWHERE:
        hosts = ["127.0.0.1", *lan_addresses(), socket.gethostname()]
    elif host in ("127.0.0.1", "::1"):
        hosts = ["localhost" if host == "::1" else host]
    return [f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}/" for name in dict.fromkeys(hosts)]


def lan_addresses() -> list[str]:
    """The addresses by which machines of the same network reach this one, the one of the way out first."""
    found = [_way_out(socket.AF_INET, "192.0.2.1"), _way_out(socket.AF_INET6, "2001:db8::1")]
    with contextlib.suppress(socket.gaierror, UnicodeError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)]
    return list(dict.fromkeys(name for name in found if name and _is_reachable(name)))


def _way_out(family: socket.AddressFamily, somewhere: str) -> str:
    """This machine's address on the way to another; a datagram socket that is connected sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _is_reachable(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
