"""One file from one address, through apt's own transport (`apt-helper`).

So the machine's settings for apt hold here too: proxies, certificates, time-outs (`Acquire::http::Timeout`), retries,
names that only apt can resolve. What comes is judged by the caller.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .report import Refusal, log

_HELPER = "/usr/lib/apt/apt-helper"
_NO_SPACE = re.compile(r"\(28: |No space left on device")


class NoSpace(Exception):
    """The file system of the cache is full."""


class NotThere(Exception):
    """The place answered that it has no such file."""


class Failed(Exception):
    """The place did not give the file for another reason; the text is apt's."""


def get(address: str, target: Path) -> None:
    """Writes what lies at the address into the target, or raises one of the above."""
    try:
        answer = subprocess.run(
            [_HELPER, "-o", "APT::Sandbox::User=root", "-o", "Acquire::AllowRedirect=true", "download-file", address, str(target)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError as error:
        raise Refusal(f"{_HELPER} cannot be started ({error.strerror}): this machine has no apt; Debian or Ubuntu is needed") from error
    if answer.returncode == 0:
        return
    log(f"download of {address}", answer.stdout + answer.stderr)
    said = answer.stdout + answer.stderr
    if _NO_SPACE.search(said):
        raise NoSpace
    reasons = re.findall(r"^(?:E: Failed to fetch \S+ +|  )(\S.*)$", said, re.MULTILINE)
    reason = re.sub(r" \[IP: .*\]", "", reasons[-1]).strip() if reasons else said.strip().splitlines()[-1]
    if re.match(r"(403|404|410) |File not found", reason):
        raise NotThere(reason)
    raise Failed(reason)
