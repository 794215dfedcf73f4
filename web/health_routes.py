"""Liveness and readiness checks for monitoring. They need no authentication and reveal no details."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from configs.version import program_version
from service.metrics import readiness_problems
from web.auth.authentication import Service

router = APIRouter(include_in_schema=False, prefix="/health")


@router.get("/live")
def live() -> JSONResponse:
    """Return 200 while this process responds."""
    return JSONResponse({"live": True, "version": program_version()})


@router.get("/ready")
def ready(context: Service) -> JSONResponse:
    """Return 503 and the number of reasons while the service cannot work; the local `/metrics` lists the reasons."""
    reasons = readiness_problems(context)
    answer = {"ready": not reasons, "reasons": len(reasons), "version": program_version()}
    return JSONResponse(answer, 503 if reasons else 200)
