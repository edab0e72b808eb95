"""The rules that operations teams edit: read strictly, compiled once, applied in microseconds.

The public face: `load` and `build` make a `RuleSet`; `engine.decide` says what one wants done with an alert. `schema`
says what a file may hold.
"""

from __future__ import annotations
