"""The base contract's fit and predict, in memory, as FastAPI is usually written.

With FITS_LOG set, a fit appends to that file and syncs it before it answers.
"""

import json
import os
import statistics

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI()
models: dict[str, list[tuple[float, float]]] = {}
log = open(os.environ["FITS_LOG"], "a") if "FITS_LOG" in os.environ else None


class History(BaseModel):
    timestamps: list[int]
    values: list[float]


class Point(BaseModel):
    timestamp: str
    value: float


@app.post("/fit/{series_id}")
async def fit(series_id: str, history: History):
    mean = statistics.fmean(history.values)
    std = statistics.pstdev(history.values, mean)
    versions = models.setdefault(series_id, [])
    versions.append((mean, std))
    version = len(versions)
    if log is not None:
        log.write(json.dumps([series_id, version, mean, std]) + "\n")
        log.flush()
        os.fsync(log.fileno())
    return {"series_id": series_id, "version": str(version), "points_used": len(history.values)}


@app.post("/predict/{series_id}")
async def predict(series_id: str, point: Point, version: str = "0"):
    versions = models.get(series_id)
    if versions is None:
        raise HTTPException(404, "unknown series")
    number = int(version.lstrip("vV")) or len(versions)
    if number > len(versions):
        raise HTTPException(404, "unknown version")
    mean, std = versions[number - 1]
    return {"anomaly": point.value > mean + 3 * std, "model_version": str(number)}
