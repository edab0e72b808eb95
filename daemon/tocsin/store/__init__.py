"""The store: one SQLite file, one writing thread, whole functions grouped into transactions.

`Store.run` takes a plain function of a `Transaction` and answers after the commit; see `store/sqlite.py` for the group
commit, `store/queries.sql` for every statement, `store/schema/` for the steps that made the schema.
"""

from __future__ import annotations

from tocsin.store.sqlite import Store
from tocsin.store.transaction import Backends, Embedded, Transaction

__all__ = ["Backends", "Embedded", "Store", "Transaction"]
