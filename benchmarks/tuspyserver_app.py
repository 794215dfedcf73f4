"""Server of the PyPI package tuspyserver, for :mod:`benchmarks.uploads`.

Run it in an environment with that package: ``python benchmarks/tuspyserver_app.py PORT FOLDER [storage]``
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from tuspyserver import create_tus_router
from tuspyserver.storage.local import LocalFileStorage


def require_key(authorization: str = Header("")) -> None:
    """Reject requests without the key; the package calls it through its parameter ``auth``."""
    if authorization != "Bearer key":
        raise HTTPException(401)


app = FastAPI()
storage = LocalFileStorage(sys.argv[2]) if sys.argv[3:] == ["storage"] else None
app.include_router(create_tus_router(prefix="files", files_dir=sys.argv[2], auth=require_key, storage=storage))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
