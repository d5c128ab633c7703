"""One file from one address, through apt's own transport (`apt-helper`).

So the machine's settings for apt hold here too: proxies, certificates, retries (`Acquire::Retries`), time-outs
(`Acquire::http::Timeout`; `COUNTERSIGN_DEBIAN_TIMEOUT`, in seconds, goes before it). What comes is judged by the caller.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .report import Refusal, log

_HELPER = "/usr/lib/apt/apt-helper"
_NO_SPACE = re.compile(r"\(28: |No space left on device")
_NOT_THERE = re.compile(r"(403|404|410) |no such file")


class NoSpace(Exception):
    """The file system of the cache is full."""


class NotThere(Exception):
    """The place answered that it does not have the file."""


class Failed(Exception):
    """The place did not give the file for another reason; the text is apt's."""


def time_out() -> list[str]:
    """The words that tell apt how long a place may be silent, where the user has said so."""
    seconds = os.environ.get("COUNTERSIGN_DEBIAN_TIMEOUT")
    return ["-o", f"Acquire::http::Timeout={seconds}", "-o", f"Acquire::https::Timeout={seconds}"] if seconds else []


def get(address: str, target: Path) -> None:
    """Writes what lies at the address into the target, or raises one of the above."""
    # For `file:` apt would make a link, which is not what the cache may hold.
    address = re.sub(r"^file:", "copy:", address)
    command = [_HELPER, "-o", "APT::Sandbox::User=root", *time_out(), "download-file", address, str(target)]
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError as error:
        raise Refusal(f"{_HELPER} cannot be started ({error.strerror}): Debian or Ubuntu is needed") from error
    if answer.returncode == 0:
        return
    said = answer.stdout + answer.stderr
    log(f"download of {address}", said)
    if _NO_SPACE.search(said):
        raise NoSpace
    reasons = re.findall(r"^E: Failed to fetch \S+ +(\S.*)$", said, re.MULTILINE) or said.strip().splitlines() or ["no reason"]
    # Which of its addresses the site answered from tells nobody anything.
    reason = " ".join(re.sub(r" ?\[IP: .*?\]", "", reasons[0]).split())
    if "No such file or directory" in reason:
        reason = "no such file"
    raise NotThere(reason) if _NOT_THERE.match(reason) else Failed(reason)
