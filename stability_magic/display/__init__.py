"""Answers as lines and tables; pure.

Begin with ``lines``, which writes the line above every table. ``tables`` writes frames for
terminals and programs, ``frame_html`` for notebooks.

May import ``analysis`` and the modules at the top of the package.
"""
