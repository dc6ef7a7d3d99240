"""Groups and chains of jobs: many at once with one that follows when all have ended, and one after another.

See docs/workflows.md.
"""

from serverless_tasks.engine.submit.groups import GroupHandle
from serverless_tasks.engine.submit.references import previous, results
from serverless_tasks.engine.submit.workflow import Chain, Group, Signature, chain, group

__all__ = ["Chain", "Group", "GroupHandle", "Signature", "chain", "group", "previous", "results"]
