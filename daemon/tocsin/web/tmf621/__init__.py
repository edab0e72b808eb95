"""The desk for other programs, as TM Forum's Trouble Ticket API (TMF621), versions 4.0.0 and 5.0.1.

`mounting` is the way in; `reading` and `writing` do what is asked; `documents` and `wishes` stand between tickets and
the standard's documents; `v4` and `v5` are the types of those documents, of which `openapi` makes the descriptions.
"""
