"""The node agent: sources → symbols → spool → export. Imports `profiler`, never `server`."""
