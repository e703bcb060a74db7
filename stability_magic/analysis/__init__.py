"""What was spent, what cells cost and when the balance is empty, computed from readings; pure.

Begin with ``series``, the form of the readings that everything is computed from, and ``frames``,
which defines the columns of every table. ``spend`` and ``topups`` compute spending by period,
``costs`` the costs of cells, and ``forecast`` when the balance is empty.

Takes numbers, returns numbers and frames: no clock, no file, no network. May import ``errors``,
``models``, ``text`` and ``when``.
"""
