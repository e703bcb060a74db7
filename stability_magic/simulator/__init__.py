"""A simulated service: a real HTTP server on this machine, with made-up spending.

Begin with ``simulator``. ``server`` sends answers on loopback, ``faults`` lists what can go wrong
with one, and ``ledger`` holds the truth: what was really spent and bought.

Imports nothing else of this project.
"""
