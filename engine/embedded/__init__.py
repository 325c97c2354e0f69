"""Starts PostgreSQL and Valkey as children of the engine when no addresses of either are given.

What lies in a data folder ``D`` (``X`` is ``postgres`` or ``valkey``):

* ``D/postgres/``  the cluster; owned by the account that the server runs as
* ``D/X.lock``     held with flock by the one process that owns the running server, for as long as it owns it
* ``D/X.json``     where the running server is (socket folder, pid, port); present only while it is ready
* ``D/X.log``      what the server wrote; the previous 16 MiB are in ``D/X.log.1``

Who runs the server: we ourselves. Root hands over to the owner of the folder or, if that is root too, to uid
65534. That account needs no permission on the folders above ``D``: the server is started *inside* its folder and
names it ``/proc/self/cwd``, which the kernel resolves without walking a path. Wheels in a closed folder are
copied to a readable one, once a version.
"""
