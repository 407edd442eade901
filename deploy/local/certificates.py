"""Certificates of an authority that is made on the spot, for programs that do not start without."""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.common.clock import utc_now


class Authority:
    """Signs for names."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))

    def furnish(self, folder: Path, name: str) -> tuple[Path, Path]:
        """What a server or a client of that DNS name needs: `ca.crt`, `tls.crt` and `tls.key`; the last two's paths."""
        folder.mkdir(exist_ok=True)
        (folder / "ca.crt").write_bytes(self._certificate.public_bytes(Encoding.PEM))
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_named(name), key, x509.SubjectAlternativeName([x509.DNSName(name)]))
        paths = folder / "tls.crt", folder / "tls.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = utc_now()
        unsigned = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=True)
        )
        return unsigned.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
