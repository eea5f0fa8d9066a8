"""Every path that the server answers."""

API = "/api/v1"

PROFILE_TYPES = f"{API}/profile-types"
LABELS = f"{API}/labels"
LABEL_VALUES = f"{API}/labels/<name>/values"
SERIES = f"{API}/series"
TIMELINE = f"{API}/timeline"
FLAMEGRAPH = f"{API}/flamegraph"
CALLERS = f"{API}/callers"
TOP = f"{API}/top"
HISTORY = f"{API}/history"
DEPLOYS = f"{API}/deploys"
PROFILES = f"{API}/profiles"
OPENAPI = f"{API}/openapi.json"

HEALTH = "/healthz"
READY = "/readyz"
METRICS = "/metrics"

PAGE = "/"
ASSETS = "/assets/<path:name>"
