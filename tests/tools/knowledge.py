"""What the tests of the knowledge base have in common: a base of their own, and PDFs made by hand."""

import os
from datetime import datetime
from pathlib import Path

from hilt.tools.builtin.knowledge import Embedder, Ingested, Knowledge, Store, WordEmbedder, ingest


def open_base(path: Path, embedder: Embedder | None = None, max_file_bytes: int = 1 << 20) -> Knowledge:
    store = Store(path, embedder or WordEmbedder())
    return Knowledge(store, lambda: datetime(2026, 11, 21, 14, 3), max_file_bytes, os.environ)


def outcomes(reports: list[Ingested], folder: Path) -> dict[str, str]:
    """What became of each file, by its path below the folder."""
    return {str(Path(report.source).relative_to(folder)): report.outcome for report in reports}


def add(knowledge: Knowledge, *paths: Path) -> list[Ingested]:
    return list(ingest(knowledge, paths))


def pdf(*pages: str, title: str = "") -> bytes:
    """A PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects[4 + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        objects[5 + 2 * number] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn)
    last = 4 + 2 * len(pages)
    objects[last] = f"<< /Title ({title}) >>".encode()
    written = bytearray(b"%PDF-1.4\n")
    places: list[int] = []
    for number in sorted(objects):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, objects[number])
    table = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (last + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (last + 1, last, table)
    return bytes(written)
