"""What builds, releases and tries out the product; no part of it."""
