"""The service: who owns a key, and how many credits an organization has left.

Begin with ``client``, which has the two operations of the API. ``transport`` sends one request
and is the only importer of requests; ``answers`` turns the bytes of an answer into a value or an
error; ``validation`` checks what may be sent, and where to.

May import ``environment``, ``errors``, ``models``, ``text`` and ``version``; knows no log.
"""
