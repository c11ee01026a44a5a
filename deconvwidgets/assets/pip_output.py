"""What pip's output, at the level -vv, says about a download that failed."""

from __future__ import annotations

import re

_FOUND = re.compile(r"^\s*(Fetched page|Downloading|Using cached|Processing|Saved) ", re.MULTILINE)
_NOT_FETCHED = re.compile(r"Could not fetch URL (\S+): (.*?)(?: - skipping)?$", re.MULTILINE)
_RETRY = re.compile(r"after connection broken by '(.*)': (/\S+)$", re.MULTILINE)
_PAGE = re.compile(r"Getting page (\S+)")
_NO_CONNECTION = ("connection error", "timed out", "There was a problem confirming the ssl certificate")
_LONGEST_REASON = 600  # characters


def index_reached(output: str) -> bool:
    """Return whether an index, or a folder of files, has answered."""
    return _FOUND.search(output) is not None


def unreachable_index(output: str) -> str | None:
    """Return which index cannot be reached and why, in pip's words; None if an index has answered, or pip failed for another reason."""
    if index_reached(output):
        return None
    failures = [(url, reason) for url, reason in _NOT_FETCHED.findall(output) if reason.startswith(_NO_CONNECTION)]
    if failures:
        url, reason = failures[0]
        return f"{_without_password(url)}: {_innermost(reason)}"
    pages, retries = _PAGE.findall(output), _RETRY.findall(output)
    if pages and retries:
        return f"{_without_password(pages[-1])}: {_innermost(retries[-1][0])}"
    return None


def waiting_for(output: str) -> str:
    """Return the address that pip has asked last, or "the index"."""
    pages = _PAGE.findall(output)
    return _without_password(pages[-1]) if pages else "the index"


def failure_reason(output: str) -> str:
    """Return the reason of another failure, in pip's words."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    refused = [f"{_without_password(url)}: {reason}." for url, reason in _NOT_FETCHED.findall(output) if not reason.startswith("404 ")]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if not errors or errors[-1] == "Exception:":  # a traceback follows
        errors = [*errors[:-1], *lines[-1:]]
    return " ".join([*refused, *errors])[:_LONGEST_REASON]


def other_file(output: str) -> bool:
    """Return whether pip refused a file because of its hash."""
    return "DO NOT MATCH THE HASHES" in output


def _innermost(reason: str) -> str:
    """Return the reason without the exceptions and objects that wrap it."""
    caused = re.search(r"Caused by (.*)\)$", reason)
    text = re.sub(r"<[^>]*>: |\w+\([^()]*\): ", "", caused.group(1) if caused else reason)
    text = re.split(r"""\w+\((?:\d+, )?["']""", text)[-1]
    return re.sub(r"""["'][)"',]*$""", "", text).strip()


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
