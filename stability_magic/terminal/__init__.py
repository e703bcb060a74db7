"""The commands as a command line: ``stability-magic``, or ``python -m stability_magic``.

Begin with ``command_line``. ``output`` owns the standard streams: it cleans what goes out, and no
failure of theirs becomes one of the command; ``file_output`` writes files. ``phrasing`` puts advice
in the words of the command line, and ``pasting`` writes lines for another terminal's shell. What
shells need to complete the command line is in the folder ``completions``.

Only this package and ``notebook`` print.

May import ``commands``, ``session``, ``charts``, ``display``, ``analysis``, ``api``, ``log``,
``shared_log``, ``simulator``, and the modules at the top of the package.
"""
