"""Large payloads and kept dead letters in S3."""
