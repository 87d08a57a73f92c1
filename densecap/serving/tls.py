"""HTTPS, which browsers ask for before they give a page the camera: one's own certificate, or one made here."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from densecap.errors import UserError
from densecap.serving.addresses import lan_addresses

#: Days that a certificate is good for; some browsers take none that is good for longer.
_DAYS = 397

#: A certificate with fewer days left is made anew.
_LEAST_DAYS = 14


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key (perhaps the same); ``shared`` is one without the key, to hand on."""

    cert: Path
    key: Path
    shared: Path | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 as browsers show it."""
        block = x509.load_pem_x509_certificates(self.cert.read_bytes())[0].public_bytes(serialization.Encoding.DER)
        digest = hashlib.sha256(block).hexdigest().upper()
        return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def given_certificate(cert: str, key: str) -> Certificate:
    """One's own certificate. Errors: UserError when the files are missing or do not belong together."""
    own = Certificate(Path(cert).expanduser(), Path(key).expanduser())
    for name, path in (("cert", own.cert), ("key", own.key)):
        if not path.is_file():
            raise UserError(f"https.{name}={path}: there is no such file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(own.cert, own.key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise UserError(
            f"https: {own.cert} and {own.key} cannot be used ({str(reason).lower().replace('_', ' ')}); they are a "
            "certificate and its key without a password, both in PEM form"
        ) from None
    return own


def own_certificate(host: str, folder: Path | None = None) -> Certificate:
    """The self-signed certificate of this user, made when there is none that is good for today's names.

    It lies in ``folder``, by default the user's own for such things, its key readable by the user alone. Errors:
    UserError when that folder cannot be written.
    """
    folder = folder or default_folder()
    own = Certificate(folder / "server.pem", folder / "server.pem", folder / "certificate.pem")
    names = wanted_names(host)
    if not _is_good(own.cert, names):
        try:
            _make(own, names)
        except OSError as error:
            raise UserError(f"cannot keep a certificate in {folder}: {error.strerror or error}") from error
    return own


def default_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(base) / "densecap" / "https"


def wanted_names(host: str = "") -> set[str]:
    """Every name and address by which the server may be opened."""
    own = socket.gethostname().lower()
    names = {"localhost", "127.0.0.1", "::1", own, f"{own.partition('.')[0]}.local", *lan_addresses()}
    return {name for name in {*names, host.lower()} if name not in ("", "0.0.0.0", "::")}


def _is_good(path: Path, names: set[str]) -> bool:
    """Whether a file holds a certificate for all these names that is good for some time yet, and its key."""
    try:
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, None)
        covered = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    known = {str(value) for kind in (x509.DNSName, x509.IPAddress) for value in covered.get_values_for_type(kind)}
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    matches = key.public_key() == certificate.public_key()
    return matches and names <= known and left > datetime.timedelta(days=_LEAST_DAYS)


def _make(own: Certificate, names: set[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(key, names)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    own.cert.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own.cert.parent.chmod(0o700)
    assert own.shared is not None
    _write(own.shared, public, 0o644)
    _write(own.key, public + secret, 0o600)


def _signed(key: ec.EllipticCurvePrivateKey, names: set[str]) -> x509.Certificate:
    today = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "densecap on this machine")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that nobody else may read while it comes to be, under a temporary name until it is whole."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
