"""Debian's names of licences."""

import unittest

from supply.bill.licences import expression, joined, parts

from .bill_support import DEP5

# Licence field, SPDX.
TERMS = {
    "Expat": "MIT",
    "GPL-2": "GPL-2.0-only",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-2.0+": "GPL-2.0-or-later",
    "GPL-3-or-later": "GPL-3.0-or-later",
    "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-2.1+": "LGPL-2.1-or-later",
    "BSD-3-Clause": "BSD-3-Clause",
    "BSD-3-clause or GPL-2": "BSD-3-Clause OR GPL-2.0-only",
    "Apache-2.0 or Expat and ISC": "Apache-2.0 OR MIT AND ISC",
    "0BSD OR Apache-2.0": "0BSD OR Apache-2.0",
    "Expat or ISC, and zlib": "(MIT OR ISC) AND Zlib",
    # Not certain: texts of that name differ, or the exception changes the meaning.
    "MIT": "LicenseRef-thing-MIT",
    "BSD": "LicenseRef-thing-BSD",
    "public-domain": "LicenseRef-thing-public-domain",
    "GPL": "LicenseRef-thing-GPL",
    "GPL-9": "LicenseRef-thing-GPL-9",
    "LGPL-1+": "LicenseRef-thing-LGPL-1-plus",
    "GPL-2+ with OpenSSL exception": "LicenseRef-thing-GPL-2-plus-with-OpenSSL-exception",
    "GPL-2+ or Expat with advertising": "LicenseRef-thing-GPL-2-plus-or-Expat-with-advertising",
}


class Licences(unittest.TestCase):
    """Fields, files."""

    def test_terms(self) -> None:
        """Each field alone."""
        for field, spdx in TERMS.items():
            with self.subTest(field):
                self.assertEqual(joined(parts(field, "thing")), spdx)

    def test_all_groups_of_files_count_once(self) -> None:
        """Alternatives are put in brackets; paragraphs that only hold a text do not count."""
        text = (DEP5 + "Files: *\nCopyright: a\nLicense: GPL-2+\n\nFiles: b\nCopyright: b\nLicense: Expat or ISC\n text\n\n"
                "Files: d\nLicense: ISC and GPL-2+\n\n"
                "Files: debian/*\nCopyright: c\nLicense: GPL-2+\n\nLicense: GPL-3\n Files: no field\n")
        self.assertEqual(expression(text, "thing"), "GPL-2.0-or-later AND ISC AND (MIT OR ISC)")

    def test_one_licence_has_no_brackets(self) -> None:
        """An alternative that stands alone."""
        self.assertEqual(expression(DEP5 + "Files: *\nLicense: Expat or ISC\n", "thing"), "MIT OR ISC")

    def test_free_text_has_no_expression(self) -> None:
        """An old copyright file, even if it looks alike."""
        self.assertEqual(expression("This is free.\n\nFiles: *\nLicense: GPL-2\n", "thing"), "")
        self.assertEqual(expression(DEP5 + "License: GPL-2\n text\n", "thing"), "")
