"""What happened: records of runs, turns and calls, kept in SQLite and read again."""

from hilt.traces.exporting import json_lines, otlp
from hilt.traces.keeping import Kept, Redact
from hilt.traces.reading import LAST, Summary, Trace, Wanted, find_run, iterate_runs, list_runs, summary
from hilt.traces.records import CallRecord, Record, RunRecord, TurnRecord
from hilt.traces.store import TraceStore

__all__ = [
    "LAST",
    "CallRecord",
    "Kept",
    "Record",
    "Redact",
    "RunRecord",
    "Summary",
    "Trace",
    "TraceStore",
    "TurnRecord",
    "Wanted",
    "find_run",
    "iterate_runs",
    "json_lines",
    "list_runs",
    "otlp",
    "summary",
]
