"""Where submitted jobs go: SQS, a thread of this process, or here and now."""
