"""What is read from pip's output: lines that several versions of pip wrote."""

from __future__ import annotations

import pytest

from deconvwidgets.assets.pip_output import failure_reason, index_reached, unreachable_index

POOL = "connection error: HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /simple/x/ "
OBJECT = "<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f1>"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            f"{POOL}(Caused by NewConnectionError('{OBJECT}: Connect: [Errno 111] Refused'))",
            "Connect: [Errno 111] Refused",
        ),
        (
            f"{POOL}(Caused by ProxyError('Cannot connect to proxy.', NewConnectionError('{OBJECT}: Connect: [Errno 111] Refused')))",
            "Connect: [Errno 111] Refused",
        ),
        (
            f"{POOL}(Caused by NameResolutionError(\"HTTPSConnection(host='h', port=443): Failed to resolve 'h' ([Errno -2] Not known)\"))",
            "Failed to resolve 'h' ([Errno -2] Not known)",
        ),
        (
            "There was a problem confirming the ssl certificate: HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: / "
            "(Caused by SSLError(SSLCertVerificationError(1, '[SSL] certificate verify failed: self-signed certificate (_ssl.c:1006)')))",
            "[SSL] certificate verify failed: self-signed certificate (_ssl.c:1006)",
        ),
        ("timed out", "timed out"),
        ("connection error: [Errno 111] Connection refused", "connection error: [Errno 111] Connection refused"),
    ],
)
def test_the_innermost_reason_is_quoted_without_passwords(reason: str, expected: str) -> None:
    output = f"Getting page https://me:secret@h/simple/x/\nCould not fetch URL https://me:secret@h/simple/x/: {reason} - skipping\n"
    assert unreachable_index(output) == f"https://h/simple/x/: {expected}"


def test_an_index_that_answers_is_not_unreachable() -> None:
    missing = "Could not fetch URL https://h/x/: 404 Client Error: Not Found - skipping\nERROR: No matching distribution found for x\n"
    assert unreachable_index(missing) is None
    assert failure_reason(missing) == "No matching distribution found for x"
    other = "Could not fetch URL https://h/simple/x/: timed out - skipping\nFetched page https://g/simple/x/ as text/html\n"
    assert index_reached(other)
    assert unreachable_index(other) is None
    refused = "Could not fetch URL https://h/x/: 403 Client Error: Forbidden - skipping\nERROR: No matching distribution found for x\n"
    assert failure_reason(refused) == "https://h/x/: 403 Client Error: Forbidden. No matching distribution found for x"
    crashed = "ERROR: Exception:\nTraceback (most recent call last):\n  File 'x'\nReadTimeoutError: Read timed out.\n"
    assert failure_reason(crashed) == "ReadTimeoutError: Read timed out."
