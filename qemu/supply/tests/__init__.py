"""Tests of `supply`, against archives that they make themselves and serve on loopback. `README.md` has the command."""
