"""Statistical studies of the judge: simulated releases in vectorised form, and what the judge makes of them.

``worlds`` draws the releases, ``vectorised`` is a second writing of the judge for thousands of them at once,
``tables`` holds the rows. `make test` runs a bounded share, `make study` the whole table.
"""
