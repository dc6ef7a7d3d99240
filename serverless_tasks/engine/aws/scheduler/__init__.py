"""One-time and recurring schedules of EventBridge Scheduler."""
