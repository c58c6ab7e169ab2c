"""Refuse every connection that leaves this machine.

Python imports `sitecustomize` by itself at start, so a process that has this folder on PYTHONPATH
(a notebook kernel, for one) is cut off before the first line of its own code. Loopback and unix
sockets stay open: kernels and their clients talk over them.
"""

import ipaddress
import socket


class NetworkBlocked(RuntimeError):
    """Something tried to leave the machine.

    Not an OSError on purpose: libraries catch those and fall back, and the attempt would go unseen.
    """


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(sock: socket.socket, address: object) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise NetworkBlocked(f"a connection to {address[0]} was refused: tests run without network")


def block() -> None:
    """Replace the socket calls that can leave the machine; calling it twice changes nothing."""
    if getattr(socket, "network_is_blocked", False):
        return
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    sendto, getaddrinfo = socket.socket.sendto, socket.getaddrinfo

    def local_connect(self, address):
        _check(self, address)
        return connect(self, address)

    def local_connect_ex(self, address):
        _check(self, address)
        return connect_ex(self, address)

    def local_sendto(self, data, *rest):
        _check(self, rest[-1])
        return sendto(self, data, *rest)

    def local_getaddrinfo(host, *rest, **options):
        if not _is_local(host):
            raise NetworkBlocked(f"a look-up of {host} was refused: tests run without network")
        return getaddrinfo(host, *rest, **options)

    socket.socket.connect, socket.socket.connect_ex = local_connect, local_connect_ex
    socket.socket.sendto, socket.getaddrinfo = local_sendto, local_getaddrinfo
    socket.network_is_blocked = True


block()
