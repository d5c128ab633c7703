"""Progress and refusals, in the style of `qemu/lib/report.sh`: everything here goes to standard error."""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime, timezone


class Refusal(Exception):
    """What ends a command: a message for a person that says what failed, where, and what to do."""


def note(text: str) -> None:
    """One line under the caller's step; further lines of the text are indented alike."""
    for line in text.splitlines():
        print(f"      {line}", file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """As in `report.sh`: only there a line may be overwritten."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def human_size(size: float) -> str:
    """`12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def log(title: str, text: str) -> None:
    """What a quiet command said goes into the caller's log, where there is one."""
    path = os.environ.get("COUNTERSIGN_LOG")
    if path:
        moment = datetime.now(timezone.utc).strftime("%H:%M:%S")
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"== {title} ({moment})\n{text.rstrip()}\n")


class Progress:
    """Counts files and bytes of a download. A ticking line on a terminal, a line every tenth part elsewhere."""

    def __init__(self, label: str, files: int, size: int) -> None:
        self.label, self.files, self.size = label, files, size
        self.done_files = self.done_size = 0
        self.told = 0
        self.guard = threading.Lock()
        self.terminal = on_terminal()

    def add(self, size: int) -> None:
        """One file of this size has come."""
        with self.guard:
            self.done_files += 1
            self.done_size += size
            text = f"{self.label}: {self.done_files} of {self.files}, {human_size(self.done_size)} of {human_size(self.size)}"
            if self.terminal:
                print(f"\r      {text} \033[K", end="", file=sys.stderr, flush=True)
                return
            tenth = self.done_size * 10 // max(self.size, 1)
            if tenth > self.told and self.done_files < self.files:
                self.told = tenth
                note(text)

    def end(self) -> None:
        """The ticking line is removed."""
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
