"""Whether the service lives and can do its work, for what watches over it; open, and tells no more than that."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from service.metrics import not_ready
from web.auth.authentication import Service

router = APIRouter(include_in_schema=False, prefix="/health")


@router.get("/live")
def live() -> JSONResponse:
    """As long as this process answers."""
    return JSONResponse({"live": True})


@router.get("/ready")
def ready(context: Service) -> JSONResponse:
    """503, with the number of reasons, while the service cannot do its work; `/metrics` of this machine names them."""
    reasons = not_ready(context)
    return JSONResponse({"ready": not reasons, "reasons": len(reasons)}, 503 if reasons else 200)
