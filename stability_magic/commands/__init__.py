"""Every command, declared once for the magics and the command line, and what it does.

Begin with ``declarations``. ``service_commands`` use the service, ``log_commands`` read the log,
``cost_commands`` tell what was paid for what, ``budget_commands`` what may be spent and
``notify_commands`` who is told; ``log_queries`` is what they ask of the log alike. Each command
takes a session and its arguments, and returns an ``outcome`` for others to show. ``parser`` is what
both front ends read arguments with.

May import ``session``, ``charts``, ``display``, ``analysis``, ``api``, ``log``, ``shared_log``,
``simulator``, and the modules at the top of the package.
"""
