"""A target as its platform module sees it: the draft, and what was prepared of it so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from services.platforms import ports as platforms
from services.publisher.app.steps import Steps
from services.publisher.domain.post import JSON
from services.publisher.ports import Chosen, Claim, Files, Rendition, Work


class Drafts:
    """Makes drafts whose assets are read from where they are served."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def draft(self, work: Work, chosen: Chosen) -> platforms.Draft:
        """What this target publishes."""
        return platforms.Draft(
            text=work.post.text_for(work.target),
            assets=tuple(self._asset(it) for it in chosen.assets),
            cover=self._asset(chosen.cover) if chosen.cover else None,
            options=work.target.options,
            # The same at every try, since a platform's fingerprint of the post may contain it.
            created_at=work.post.scheduled_at or work.post.created_at,
        )

    def _asset(self, rendition: Rendition) -> platforms.Asset:
        return platforms.Asset(
            preset=rendition.preset,
            content_type=rendition.content_type,
            size_bytes=rendition.size_bytes,
            width=rendition.width,
            height=rendition.height,
            duration_s=rendition.duration_s,
            alt_text=rendition.alt_text,
            url=rendition.url,
            read=partial(self._files.read, rendition.url, rendition.size_bytes),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """platforms.Progress kept in the target's row."""

    kept: Steps
    claim: Claim
    steps: dict[str, Mapping[str, JSON]]

    def load(self, step: str) -> Mapping[str, JSON] | None:
        """What was saved for this step, by whichever worker."""
        return self.steps.get(step)

    async def save(self, step: str, state: Mapping[str, JSON]) -> None:
        """Commits the state of this step. Raises LeaseLostError."""
        await self.kept.save(self.claim, step, state)
        self.steps[step] = state
