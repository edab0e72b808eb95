"""tocsin: from a supervision alert to exactly one incident ticket."""
