"""What is measured warm: functions that prepare and return a step."""
