"""Strings of each format and such as only look like it; the contract tests ask a real PDS the same."""

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
POST = f"at://{DID}/app.bsky.feed.post"

GOOD = {
    "language": [
        "en", "pt-BR", "es-419", "zh-Hans-CN", "zh-cmn-Hans", "sr-Latn-RS", "de-CH-1901", "en-a-bb", "en-x-foo",
        "x-private", "i-klingon", "art-lojban",
    ],
    "did": [DID, "did:web:example.com", "did:web:localhost%3A1", "did:a:b%41"],
    "at_uri": [f"at://{DID}", "at://alice.test/app.bsky.feed.post/3m", f"{POST}/3m2aaaaaaaa2a", f"at://{DID}/a.b.c"],
    "uri": ["https://example.com", "https://ü.de/ü?a=b#c", "mailto:a@example.com", "http:x", "1a:b", "A:b"],
    "cid": [
        "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
    ],
    "instant": [
        "2026-11-25T00:00:00Z", "2026-11-25T00:00:00.123456789Z", "2026-11-25T00:00:00+01:00", "2026-02-30T00:00:00Z",
    ],
}  # fmt: skip

BAD = {
    "language": [
        "", "e", "EN", "en-", "en--US", "en_US", "english", "abcdefghi", "a-DE", "i-foo", "en-a", "en-1", "en-US-US",
        "de-1901-1901", "en-a-bb-a-cc",
    ],
    "did": ["bob", "did:web:", "did:PLC:a", "did:a1:b", "did:a:b:", "did:a:b%", "did:a:b/c"],
    "at_uri": [
        "x", "at://bob", f"AT://{DID}", f"at://{DID}/", f"at://{DID}/x", f"at://{DID}/a.b/c", f"{POST}/", f"{POST}/a/b",
        f"{POST}/a#x", f"{POST}/a?x=1", f"{POST}/ü",
    ],
    "uri": ["example.com", "https://", "https://a b", " https://example.com", "a+b:c", "x:"],
    "cid": ["y", "bafk", "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykU"],
    "instant": [
        "yesterday", "2026-11-25", "2026-11-25T00:00Z", "2026-11-25T00:00:00", "2026-11-25t00:00:00z",
        "2026-13-25T00:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T00:00:60Z", "2026-11-25T00:00:00-00:00",
    ],
}  # fmt: skip

SAMPLES = [
    (name, text, good)
    for good, samples in ((True, GOOD), (False, BAD))
    for name, texts in samples.items()
    for text in texts
]
