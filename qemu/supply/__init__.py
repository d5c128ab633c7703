"""Debian packages from a lock: what is locked is fetched, whatever the mirror's index says today.

`README.md` beside this file says what each module does and why it is Python.
"""
