"""Licences of Debian packages as SPDX expressions.

A copyright file in Debian's machine-readable form (DEP-5, "copyright-format/1.0") names a licence for each group of files.
The expression joins all of them: it speaks of the whole source package, build scripts and tests included, of which a
binary package has a part. A name whose meaning is not certain becomes a `LicenseRef-` with the source package's name;
the text is in the notices.
"""

from __future__ import annotations

import re

# Names of the format, and spellings that mean the same. "MIT", "BSD" and "X11" are not here: their texts differ.
NAMES = {
    "0bsd": "0BSD",
    "apache-2": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "artistic-2.0": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsl-1.0": "BSL-1.0",
    "cc0": "CC0-1.0",
    "cc0-1.0": "CC0-1.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "cc-by-3.0": "CC-BY-3.0",
    "cc-by-4.0": "CC-BY-4.0",
    "curl": "curl",
    "expat": "MIT",
    "fsfap": "FSFAP",
    "fsful": "FSFUL",
    "fsfullr": "FSFULLR",
    "isc": "ISC",
    "mpl-1.1": "MPL-1.1",
    "mpl-2.0": "MPL-2.0",
    "openssl": "OpenSSL",
    "unlicense": "Unlicense",
    "wtfpl-2": "WTFPL",
    "zlib": "Zlib",
}
# "GPL-2+" is version 2 or later. SPDX knows these versions.
GNU = {"gpl": ("1", "2", "3"), "lgpl": ("2", "2.1", "3"), "agpl": ("3",), "gfdl": ("1.1", "1.2", "1.3")}
GNU_NAME = re.compile(r"^(gpl|lgpl|agpl|gfdl)-(\d(?:\.\d)?)(?:-only)?(\+|-or-later)?$")
FORMAT = re.compile(r"^Format(-Specification)?:.*(copyright-format|dep5|DEP5|dep-5)", re.MULTILINE)


def expression(copyright_file: str, source: str) -> str:
    """The SPDX expression of a copyright file; empty where it is not machine-readable or names no licence."""
    if not FORMAT.search(copyright_file[:2000]):
        return ""
    found = {part for name in _names(copyright_file) for part in parts(name, source)}
    return joined(sorted(found))


def joined(terms: list[str]) -> str:
    """All of them."""
    return " AND ".join(f"({word})" if " OR " in word and len(terms) > 1 else word for word in terms)


def _names(copyright_file: str) -> list[str]:
    """First lines of the `License` fields that speak of files, in their order."""
    names = []
    for paragraph in re.split(r"\n\s*\n", copyright_file):
        keys = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        # One without `Files` is the text of a licence that others refer to, or the header.
        if "Files" in keys and keys.get("License", "").strip():
            names.append(keys["License"].strip())
    return names


def parts(name: str, source: str) -> list[str]:
    """What one `License` field asks for, all of it: alternatives joined by "or", parts by "and"; a comma binds less."""
    found = []
    for group in re.split(r",\s*and\s+", name.rstrip(",")):
        if re.search(r",|\bwith\b|\bexcept|and/or|[()]", group, re.IGNORECASE):
            # An exception changes the meaning, and is known here under no certain name.
            found.append(reference(group, source))
            continue
        alternatives = [[one(word, source) for word in re.split(r"\s+and\s+", alternative, flags=re.IGNORECASE)]
                        for alternative in re.split(r"\s+or\s+", group, flags=re.IGNORECASE)]
        if len(alternatives) == 1:
            found += alternatives[0]
        else:
            found.append(" OR ".join(" AND ".join(alternative) for alternative in alternatives))
    return found


def one(name: str, source: str) -> str:
    """One licence."""
    key = name.strip().lower()
    if key in NAMES:
        return NAMES[key]
    if match := GNU_NAME.match(key):
        family, version, later = match.groups()
        version = version.removesuffix(".0")
        if version in GNU[family]:
            full = version if "." in version else f"{version}.0"
            return f"{family.upper()}-{full}-{'or-later' if later else 'only'}"
    return reference(name, source)


def reference(name: str, source: str) -> str:
    """A name of our own, for this document: letters, digits, point and hyphen."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "-plus")).strip("-")
    return f"LicenseRef-{re.sub(r'[^A-Za-z0-9.-]+', '-', source)}-{words}"
