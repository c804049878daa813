"""Connecting only to addresses that may be asked: checked after the name was resolved, and then used as they were.

Source: guards that checked the name and connected later were passed elsewhere (CVE-2022-36551, CVE-2023-47116).
"""

import ipaddress
import socket

import httpx

from alignment.domain.errors import EndpointDown, EndpointRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class CheckedTransport(httpx.BaseTransport):
    """Resolves each request's host itself and connects to what it found, under the host's own name in TLS."""

    def __init__(self, *, may_be_private: bool, limits: httpx.Limits) -> None:
        self._may_be_private = may_be_private
        self._transport = httpx.HTTPTransport(limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = self._checked(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        request.url = request.url.copy_with(host=str(address))  # the Host header keeps the name
        request.extensions = {**request.extensions, "sni_hostname": host}
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()

    def _checked(self, host: str, port: int) -> Address:
        """Return the first of the host's addresses once all were checked. Raises: EndpointDown, EndpointRefused."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise EndpointDown(f"The name {host} cannot be resolved.") from error
        addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
        for address in addresses:
            if not address_may_be_asked(address, may_be_private=self._may_be_private):
                raise EndpointRefused(f"{host} leads to {address}, which may not be asked.")
        return addresses[0]


def address_may_be_asked(address: Address, *, may_be_private: bool) -> bool:
    """Whether an endpoint may lie there: public addresses, and private ones where the operator says so.

    Never a link-local one: that is where clouds keep their machines' secrets.
    """
    mapped = getattr(address, "ipv4_mapped", None)
    plain: Address = mapped or address
    if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
        return False
    return plain.is_global or (may_be_private and (plain.is_private or plain.is_loopback))
