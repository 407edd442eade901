"""Who may write to an upload next."""

from dataclasses import replace
from datetime import datetime

from services.ingest.app.piecing import LEASE_S
from services.ingest.domain import upload as rules
from services.ingest.domain.upload import Phase, Piece, Upload
from services.ingest.ports import UploadChange

HANDOVER_S = 3.0  # a writer asked to leave stores what it has; after this it is fenced off instead
SEALING_S = 20.0  # longer than a lease, so that whoever waits outlives a killed writer


class Turn:
    """One look at a locked row: takes the upload, waits for its writer, or only sees how far it is."""

    def __init__(self, piece: Piece, waited_s: float) -> None:
        self._piece = piece
        self._waited_s = waited_s
        self.seen: Upload | None = None
        self.taken = self.waits = False

    def step(self, row: Upload, now: datetime) -> UploadChange | None:
        """See ports.UploadStep. Raises MediaError: the piece cannot be this upload's next."""
        self.seen = row
        rules.check_alive(row, now)
        rules.check_fits(row, self._piece)
        wanted, held = self._piece.offset, row.held(now)
        if row.phase is Phase.COMPLETE:
            return None
        if wanted is not None and wanted < row.offset:
            raise rules.conflict(row)
        if held and row.finishing:
            if self._waited_s > SEALING_S:
                raise rules.locked(row)
            self.waits = True
            return None
        if held and wanted != row.offset and self._waited_s <= HANDOVER_S:
            self.waits = True
            asked = row.stop_epoch == row.epoch
            return None if asked else UploadChange(upload=replace(row, stop_epoch=row.epoch), wake=True)
        if wanted is not None and wanted != row.offset:
            raise rules.conflict(row)
        if wanted is None and not held and (self._piece.open or row.partial or not row.whole):
            return None
        self.taken = True
        return UploadChange(upload=row.claimed(now, LEASE_S), wake=held)
