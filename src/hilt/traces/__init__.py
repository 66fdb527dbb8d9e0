"""What happened: records of runs, turns and calls, kept in SQLite and read again."""

from hilt.traces.records import CallRecord, Record, RunRecord, TurnRecord

__all__ = ["CallRecord", "Record", "RunRecord", "TurnRecord"]
