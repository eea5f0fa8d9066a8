"""The server: ingest → store → query → HTTP API → pages. Imports `profiler`, never `collector`."""
