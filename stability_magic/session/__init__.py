"""What a kernel or a command uses throughout: key, client, logs, watch, cell costs, demo.

Begin with ``session``. ``journal`` writes and looks up readings in the local log and in the shared
one; ``watch`` takes readings at regular times; ``notices`` tells people what readings show, by
``messenger`` and ``senders``; ``cell_cost`` reads the balance before a cell and after it,
``spending_cap`` while it runs. ``cost_blocks`` does that for plain Python. ``check`` looks at all
that a reading depends on.

It prints nothing and knows no shell. May import ``api``, ``log``, ``shared_log``, ``analysis``,
``display``, ``simulator``, and the modules at the top of the package.
"""
