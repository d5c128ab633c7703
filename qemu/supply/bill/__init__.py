"""What an image is made of: its build manifest, its bill of materials (CycloneDX) and the notices of others' work.

    debs       what a Debian package says about itself: files, source, copyright file
    licences   Debian's names of licences as SPDX expressions
    crates     what of crates.io is linked into countersignd
    material   both, gathered into one folder that the others read
    notices    the text with every copyright file and licence
    sbom       the bill of materials; the only module that needs more than Python's standard library
    manifest   digests of everything that was built, and of what it was built from

Nothing here looks at a clock or names a folder of the machine: same inputs, same bytes.
"""
