"""The commands as magics; the only importer of IPython.

Begin with ``extension``: loading adds the names of the magics, and the first use of one imports
``magics``, which runs them. ``cells`` follows the running cells for ``%%stability_cost``,
``semicolons`` sees to those after a magic, ``watch_display`` keeps the lines of a watch up to date
below its cell, and ``frame_printer`` shows frames as tables.

Only this package and ``terminal`` print.

May import ``commands``, ``session``, ``charts``, ``display``, ``analysis``, ``api``, ``log``,
``shared_log``, ``simulator``, and the modules at the top of the package.
"""
