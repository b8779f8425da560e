"""What the provider tests share. Their servers are on loopback, which the guard refuses unless it is permitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer

from integrations.registry import discover


@pytest.fixture(autouse=True)
def providers() -> None:
    discover()


@pytest.fixture
def loopback(settings) -> None:
    """Outgoing calls may reach this machine's IPv4 loopback, and nothing else that is private."""
    settings.EGRESS_ALLOW = ["127.0.0.1"]


@pytest.fixture(scope="module")
def running_server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as running:
        yield running


@pytest.fixture
def server(running_server: HTTPServer) -> HTTPServer:
    """An HTTP server on loopback that knows nothing yet."""
    running_server.clear()
    return running_server


@dataclass(frozen=True)
class Certificates:
    """Files: a root and, signed by it, a key with its certificate for shop.example.com."""

    root: str
    chain: str


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Test root", root_key.public_key(), "Test root", root_key, authority=True)
    leaf = _certificate("shop.example.com", key.public_key(), "Test root", root_key, authority=False)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "chain.pem").write_bytes(private + leaf.public_bytes(Encoding.PEM))
    return Certificates(str(folder / "root.pem"), str(folder / "chain.pem"))


def _certificate(name: str, public_key, issuer: str, issuer_key, *, authority: bool) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
