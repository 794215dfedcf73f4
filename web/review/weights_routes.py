"""Page for administrators: how many reviews there are, and what training on them gained."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from service.installed_weights import shipped_weights
from store.review.reviewed_scans import ReviewedScan, reviewed_scans
from store.weights.own_weights import all_weights, uses, weights_in_use
from web.auth.authentication import Administrator, Service
from web.page import page

router = APIRouter(include_in_schema=False)

KINDS = ("construction", "ground", "demolition")


@router.get("/weights")
def weights(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Show the reviews in the administrator's area, the versions of weights, and their comparisons."""
    with context.database.read() as session:
        scans, _ = reviewed_scans(session, viewer)
        current = weights_in_use(session)
        return page(
            request,
            "weights.html",
            reviews=count_reviews(scans),
            shipped=shipped_weights().name,
            versions=all_weights(session),
            in_use=None if current is None else current.id,
            log=uses(session),
        )


def count_reviews(scans: Iterable[ReviewedScan]) -> dict[str, dict[str, int]]:
    """Count reviewed alerts by kind, and all of them under ""."""
    counts = {kind: dict.fromkeys(("confirmed", "rejected", "for_training", "held_back"), 0) for kind in (*KINDS, "")}
    for alert in (alert for reviewed in scans for alert in reviewed.alerts):
        for kind in (alert.kind, ""):
            if kind in counts:
                counts[kind]["confirmed" if alert.confirmed else "rejected"] += 1
                counts[kind]["held_back" if alert.held_back else "for_training"] += 1
    return counts
