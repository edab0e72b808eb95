"""The rules workbench: what a change of the rules will do, and why each alert did or did not become a ticket.

Everything here asks the same `engine.decide` and the same `live.Live` as the service, on a virtual clock and with nothing
behind: it can change no live state and send nothing. Knows rules, fleet, sources and how the store is read.
"""

from __future__ import annotations
