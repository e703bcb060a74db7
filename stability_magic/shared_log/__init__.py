"""The log that machines and people share: PostgreSQL or alike; the only importer of psycopg.

Begin with ``shared_log``. ``sync`` sends what the shared log lacks of a local log; ``reader`` and
``statements`` let the database add up readings that need not be transferred one by one.

May import ``log``, ``analysis`` and the modules at the top of the package; knows no service.
"""
