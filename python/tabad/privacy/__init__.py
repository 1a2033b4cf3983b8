"""Does a synthetic table give its training rows away: attacks on it, judged against rows that were held out.

Needs numpy (extra `train`); nothing here imports torch. `audit` orders the steps, one file holds each kind of attack,
`statistics` the tests and intervals they share. What an attack finds only counts where it finds more about training
rows than about held-out rows: what follows from the population is not a leak (Giomi et al. 2023).
"""

from tabad.privacy.audit import audit_tables
from tabad.privacy.result import Audit, Figure, Finding

__all__ = ["Audit", "Figure", "Finding", "audit_tables"]
