"""What a stranger calls a file, and says of it. Names are as they stand in the form, byte for byte."""

from collections.abc import Mapping

BOUNDARY = "XyZ"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
LONGEST_NAME_BYTES = 255


def form(data: bytes, filename: bytes = b"a.jpg", *, declared: str = "image/jpeg", **fields: bytes) -> bytes:
    """A multipart body. filename, declared: nothing is done to them."""
    head = b'name="file"; filename="%b"\r\nContent-Type: %b' % (filename, declared.encode())
    parts = [b"%b\r\n\r\n%b" % (head, data)]
    parts += [b'name="%b"\r\n\r\n%b' % (name.encode(), text) for name, text in fields.items()]
    delimiter = f"--{BOUNDARY}".encode()
    disposed = [b"%b\r\nContent-Disposition: form-data; %b\r\n" % (delimiter, part) for part in parts]
    return b"".join(disposed) + delimiter + b"--\r\n"


# How it is shown afterwards. RFC 7578 4.2: in a form's names %22, %0D and %0A are what browsers write for quotes and
# line breaks; all else stands for itself.
NAMES: Mapping[str, tuple[bytes, str]] = {
    "traversal": (b"../../etc/passwd", "passwd"),
    "traversal-of-windows": (b"..\\..\\boot.ini", "boot.ini"),
    "traversal-escaped": (b"..%2f..%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd"),
    "traversal-only": (b"../..", ""),
    "absolute": (b"/etc/passwd", "passwd"),
    "drive": (b"C:\\Windows\\a.jpg", "a.jpg"),
    "slash": (b"/", ""),
    "dot": (b".", ""),
    "nothing": (b"", ""),
    "blank": (b"   ", ""),
    "device": (b"CON", "CON"),
    "4-kb": (b"n" * 4000 + b".jpg", "n" * LONGEST_NAME_BYTES),
    "4-kb-of-two-bytes": (
        "\N{LATIN SMALL LETTER E WITH ACUTE}".encode() * 2000,
        "\N{LATIN SMALL LETTER E WITH ACUTE}" * 127,
    ),
    "right-to-left": ("a\u202egpj.exe".encode(), "agpj.exe"),
    "byte-order-mark": ("\ufeffa.jpg".encode(), "a.jpg"),
    "line-separator": ("a\u2028b\u0085c.jpg".encode(), "abc.jpg"),
    "composed": ("\u00f1.jpg".encode(), "\u00f1.jpg"),
    "decomposed": ("n\u0303.jpg".encode(), "\u00f1.jpg"),
    "emoji": ("\U0001f469\u200d\U0001f680.jpg".encode(), "\U0001f469\u200d\U0001f680.jpg"),
    "no-utf-8": (b"\xff\xfe.jpg", "\ufffd\ufffd.jpg"),
    "image-sequence": (b"%03d.jpg", "%03d.jpg"),
    "format-string": (b"%d%s%n.jpg", "%d%s%n.jpg"),
    "nul-escaped": (b"a%00.jpg", "a%00.jpg"),
    "template": (b"{{7*7}}.jpg", "{{7*7}}.jpg"),
    "sql": (b"'; DROP TABLE media;--", "'; DROP TABLE media;--"),
}
HEADERS: Mapping[str, tuple[bytes, str]] = {
    "line-break": (b"a%0D%0AX-Evil: yes.jpg", "aX-Evil: yes.jpg"),
    "line-break-twice": (b"a%0D%0A%0D%0A<script>x.jpg", "a<script>x.jpg"),
    "quote": (b"a%22; filename=%22b.html", 'a"; filename="b.html'),
    "backslash-quote": (b'a\\"b.jpg', 'a"b.jpg'),
    "parameter": (b"a;filename*=UTF-8''b.html", "a;filename*=UTF-8''b.html"),
    "comma": (b"a, attachment", "a, attachment"),
}
"""To get out of a header with."""

# altText: kept as it is said, or refused.
SAID: Mapping[str, bytes] = {
    "line-break": b"a\r\nX-Evil: yes",
    "log-line": b'"}\n{"level":"fatal","message":"forged"}',
    "terminal": b"\x1b[31mred\x1b[0m\x07",
    "html": b"<script>alert(1)</script>",
    "right-to-left": "a\u202eb".encode(),
    "format-string": b"%d%s%n{0}{__class__}",
    "longest": "\U0001f469".encode() * 2000,
}
REFUSED: Mapping[str, bytes] = {
    "nul": b"a\0b",
    "surrogate": b"\xed\xa0\x80",
    "no-utf-8": b"\xff",
    "too-long": b"x" * 2001,
}
