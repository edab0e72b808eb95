"""Secrets are files: where they are looked for, and what they hold.

systemd hands credentials over in a folder of their own, so that one is asked first. A secret's content is never part
of an error or a log line.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tocsin.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 64 * 1024


def find_secret(path: Path, folder: Path, credentials: Path | None) -> Path:
    """Return where a secret is: as it says when absolute, else among the credentials, else in the settings' folder."""
    if credentials is not None and (credentials / path).exists():
        return credentials / path
    return folder / path


def read_secret(path: Path) -> bytes:
    """Return what a secret's file holds, without one newline at its end.

    Raises:
        SettingsError: it cannot be read, is empty, or is larger than 64 KiB.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SettingsError(
            f"the secret {path} cannot be read: {error.strerror}; create it, or correct its path"
        ) from None
    if len(content) > LARGEST:
        raise SettingsError(f"the secret {path} is larger than 64 KiB: it is probably not the file you mean")
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret.strip():
        raise SettingsError(f"the secret {path} is empty: write the secret into it")
    return secret


def exposed(path: Path) -> str:
    """Return a warning when everyone on the machine may read a secret's file; nothing otherwise."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    return f"everyone on this machine may read the secret {path}: run chmod o= {path}" if mode & stat.S_IROTH else ""
