"""Fair retrieval: audit a neutral query's results by group, and balance them after the fact.

After the chapter on post-hoc bias mitigation (PBM) that the specification restates. Groups are +1,
-1 and 0 for "not applicable or not visible"; two groups only, as in the source. Importing this
package loads no torch.
"""

from __future__ import annotations

from backend.fair.metrics import abs_bias_at_k, bias_at_k, recall_at_k
from backend.fair.select import Selection, pbm, select, top_k

__all__ = ["Selection", "abs_bias_at_k", "bias_at_k", "pbm", "recall_at_k", "select", "top_k"]
