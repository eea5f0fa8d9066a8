"""File formats for profiles, a module each with `dumps(profile) -> bytes` and `loads(bytes)`."""
