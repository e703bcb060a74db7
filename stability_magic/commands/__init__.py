"""Every command, declared once for the magics and the command line, and what it does.

Begin with ``declarations``. ``service_commands`` use the service, ``log_commands`` read the log;
each command takes a session and its arguments, and returns an ``outcome`` for others to show.
``parser`` is what both front ends read arguments with.

May import ``session``, ``charts``, ``display``, ``analysis``, ``api``, ``log``, ``shared_log``,
``simulator``, and the modules at the top of the package.
"""
