"""The interface for programs, under `/api/v1`: the workbench, what was decided and why, the rules that are live.

`operations` is the one table of what there is; `mounting` makes routes of it and `document` makes OpenAPI of it. One
module for each noun holds its types and its handlers. ../README.md says what all of them have in common.
"""

from __future__ import annotations
