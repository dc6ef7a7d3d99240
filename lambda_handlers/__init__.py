"""AWS events in, core calls, AWS answers out."""
