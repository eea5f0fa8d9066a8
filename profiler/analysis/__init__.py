"""What profiles say: functions from a Profile to a value. Exact, and without I/O."""
