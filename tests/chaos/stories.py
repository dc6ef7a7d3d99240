"""All stories: of jobs, and of groups and chains."""

from tests.chaos.group_scenarios import GROUPS
from tests.chaos.scenarios import SCENARIOS

STORIES = (*SCENARIOS, *GROUPS)
