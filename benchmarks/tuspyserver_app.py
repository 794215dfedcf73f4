"""The PyPI package tuspyserver as a server of its own, for :mod:`benchmarks.uploads`.

Run by an environment that has it: python benchmarks/tuspyserver_app.py PORT FOLDER [storage]
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from tuspyserver import create_tus_router
from tuspyserver.storage.local import LocalFileStorage


def known(authorization: str = Header("")) -> None:
    """Refuse who has no key, by the parameter that the package has for it."""
    if authorization != "Bearer key":
        raise HTTPException(401)


app = FastAPI()
storage = LocalFileStorage(sys.argv[2]) if sys.argv[3:] == ["storage"] else None
app.include_router(create_tus_router(prefix="files", files_dir=sys.argv[2], auth=known, storage=storage))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
