"""Certificates: the names in them, who may read the key, and when they are made anew."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509

from densecap.errors import UserError
from densecap.serving import tls


def test_a_certificate_has_the_names_and_its_key_is_private(tmp_path: Path) -> None:
    own = tls.own_certificate("photos.example", tmp_path / "https")
    certificate = x509.load_pem_x509_certificate(own.shared.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "photos.example", socket.gethostname().lower()} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1"} <= {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert stat.S_IMODE(own.key.stat().st_mode) == 0o600 and stat.S_IMODE(own.key.parent.stat().st_mode) == 0o700
    assert b"PRIVATE" in own.key.read_bytes() and b"PRIVATE" not in own.shared.read_bytes()
    assert {path.name for path in own.key.parent.iterdir()} == {"server.pem", "certificate.pem"}


def test_it_is_kept_until_a_name_is_missing_or_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tls.own_certificate("127.0.0.1", tmp_path).fingerprint
    assert tls.own_certificate("localhost", tmp_path).fingerprint == first
    other = tls.own_certificate("photos.example", tmp_path).fingerprint
    assert other != first
    monkeypatch.setattr(tls, "_LEAST_DAYS", 400)
    assert tls.own_certificate("photos.example", tmp_path).fingerprint != other
    monkeypatch.undo()
    (tmp_path / "server.pem").write_text("broken")
    assert tls.own_certificate("127.0.0.1", tmp_path).fingerprint not in (first, other)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_it_is_served(tmp_path: Path, name: str) -> None:
    own = tls.own_certificate("127.0.0.1", tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own.cert, own.key)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with server.wrap_socket(listening.accept()[0], server_side=True) as connection:
            connection.sendall(b"hello")

    threading.Thread(target=answer, daemon=True).start()
    client = ssl.create_default_context(cafile=own.shared)
    with client.wrap_socket(socket.create_connection(listening.getsockname()), server_hostname=name) as connection:
        assert connection.recv(5) == b"hello"
        assert own.fingerprint.count(":") == 31
    listening.close()


def test_ones_own_certificate_is_checked(tmp_path: Path) -> None:
    first, second = (tls.own_certificate("127.0.0.1", tmp_path / name) for name in ("a", "b"))
    assert tls.given_certificate(str(first.shared), str(first.key)).fingerprint == first.fingerprint
    with pytest.raises(UserError, match="there is no such file"):
        tls.given_certificate(str(tmp_path / "none.pem"), str(first.key))
    with pytest.raises(UserError, match="cannot be used"):
        tls.given_certificate(str(first.shared), str(second.key))
    with pytest.raises(UserError, match="cannot be used"):
        tls.given_certificate(str(first.shared), str(first.shared))
